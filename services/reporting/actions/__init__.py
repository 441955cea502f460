"""What reporting does, in verbs, by subject."""

from __future__ import annotations

from services.reporting.actions import damage, mails, passwords, resources, runs

__all__ = ["damage", "mails", "passwords", "resources", "runs"]
