"""The private folder of one launch: what only the worker may read."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from pathlib import Path

from attrs import asdict

from uml_core.types import Launch, Plan


def prepare(folder: Path, *, generation: int, host: str, port: int) -> Launch:
    """Make the 0700 folder of a launch with its token file.

    :raises OSError: the folder can't be written (a full disk)
    """
    launch_id = secrets.token_hex(8)
    run_dir = folder / f"launch-{generation}-{launch_id}"
    run_dir.mkdir(mode=0o700, parents=True)
    launch = Launch(
        generation=generation,
        launch_id=launch_id,
        host=host,
        port=port,
        token=secrets.token_urlsafe(32),
        run_dir=run_dir,
    )
    write_private(launch.token_file, launch.token)
    return launch


def write_launch_file(launch: Launch, plan: Plan, fd: int | None) -> None:
    """Write what :func:`uml_core.worker.serve` reads."""
    content = {
        "generation": launch.generation,
        "launch_id": launch.launch_id,
        "host": launch.host,
        "port": launch.port,
        "fd": fd,
        "token": launch.token,
        "plan": plan_for_worker(plan),
    }
    write_private(launch.launch_file, json.dumps(content, default=str))


def plan_for_worker(plan: Plan) -> dict[str, object]:
    """The plan as JSON; the model's metadata stays out, for the worker reads the file itself."""
    model = plan.model
    return {
        "model_id": plan.model_id,
        "backend": plan.backend,
        "tasks": list(plan.tasks),
        "context_length": plan.context_length,
        "parallel": plan.parallel,
        "threads": plan.threads,
        "spin": plan.spin,
        "options": dict(plan.options),
        "settings": dict(plan.settings),
        "placement": asdict(plan.placement),
        "model": {
            "path": str(model.path),
            "format": model.format,
            "files": [str(file) for file in model.files],
            "name": model.name,
            "architecture": model.architecture,
            "context_length": model.context_length,
        },
    }


def write_private(path: Path, text: str) -> None:
    """Create a file that only this user can read; it must not be there yet."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def remove(launch: Launch) -> None:
    shutil.rmtree(launch.run_dir, ignore_errors=True)
