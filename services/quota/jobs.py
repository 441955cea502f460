"""Time in: what quota does every so often."""

from __future__ import annotations

from datetime import timedelta

from libs.shared.database import Pool
from libs.shared.runtime import Job, Jobs
from services.quota import actions

JOBS: Jobs[Pool] = [
    Job("settle_cases", timedelta(seconds=30), actions.cases.settle_due, leader=True),
    Job("fill_days", timedelta(hours=1), actions.days.fill_days, leader=True),
    Job("tell_days", timedelta(hours=1), actions.days.tell_days, leader=True),
    Job("forget_sent", timedelta(hours=6), actions.plans.forget_sent, leader=True),
]
