"""A process that holds a worker, to be killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from uml_core.settings import Settings
from uml_core.testing.conformance.child import Named
from uml_core.testing.conformance.live import supervisor_of
from uml_core.testing.conformance.witness import Witness
from uml_core.types import LoadRequest


def hold(subject: Named, sample: Path, settings: Settings, request: LoadRequest) -> None:
    """Load, say each step on stdout, and stay until killed."""
    asyncio.run(_hold(subject, sample, settings, request))


async def _hold(subject: Named, sample: Path, settings: Settings, request: LoadRequest) -> None:
    async with supervisor_of(subject.get(), settings, Witness(sample, tell)) as supervisor:
        await supervisor.load(request)
        await asyncio.Event().wait()


def tell(words: str) -> None:
    """Say it at once: the reader is about to kill this process."""
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()
