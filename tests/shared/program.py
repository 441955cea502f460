"""A service of the tests' own: slow requests, jobs that break or stick, one event that it hears."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, FastAPI

from libs.shared import logs, runtime, web
from libs.shared.events import VolumeChanged
from libs.shared.settings import ServiceSettings, load

router = APIRouter()
SERVED: list[FastAPI] = []
SILENCE = timedelta(seconds=1)


@router.get("/slow")
async def slow() -> str:
    """Is answered in a second and a half."""
    logs.get().info("slow.began")
    await asyncio.sleep(1.5)
    return "served to the end"


@router.get("/slower")
async def slower() -> str:
    """Is not answered."""
    logs.get().info("slower.began")
    await asyncio.sleep(600)
    return "never"


async def on_volume(conn: Any, _event: VolumeChanged) -> None:
    await conn.execute("SELECT 1")


async def breaks(word: str) -> None:
    raise RuntimeError(f"the job is broken: {word}")


async def lead(word: str) -> None:
    logs.get().info("led", pid=os.getpid(), word=word)


async def stick(_word: str) -> None:
    logs.get().info("stuck", loops=[one.loop for one in SERVED[0].state.heartbeats])
    await asyncio.Event().wait()


JOBS = {
    "stick": runtime.Job("stick", timedelta(milliseconds=10), stick, longest_silence=SILENCE),
    "breaks": runtime.Job("breaks", timedelta(milliseconds=10), breaks),
    "lead": runtime.Job("lead", timedelta(milliseconds=10), lead, leader=True),
}


async def serve() -> None:
    """Runs until SIGTERM, with the jobs that TEST_JOBS names."""
    settings = load(ServiceSettings)
    async with runtime.Service("quota", settings) as service:
        app = web.create_app("quota", ready=service.checks(), routers=[router])
        SERVED.append(app)
        jobs = [JOBS[name] for name in os.environ.get("TEST_JOBS", "").split()]
        handlers = {VolumeChanged: on_volume}
        await service.run(app, jobs=jobs, resources="a word", handlers=handlers)


if __name__ == "__main__":
    runtime.main("quota", serve)
