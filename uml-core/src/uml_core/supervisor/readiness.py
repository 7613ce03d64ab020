"""Wait until a worker is ready, and be sure that it is ours."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from uml_core import __version__
from uml_core.errors import InternalServerError, ModelLoadError, UMLError
from uml_core.supervisor.client import WorkerClient
from uml_core.supervisor.endpoint import holder, listens
from uml_core.supervisor.process import WorkerProcess
from uml_core.types import Launch, WorkerCommand, WorkerResponse
from uml_core.types.worker import WORKER_PROTOCOL

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 0.25
ANSWER_S = 2.0
OnHealth: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Called with each answer that is a JSON object, also of a worker that is not ready yet."""


class NotReadyError(ModelLoadError):
    """It was not ready in time, and still runs."""


class OtherProtocol(Exception):
    """The worker speaks another protocol than this UML."""


class PortLostError(InternalServerError):
    """Somebody else took the port between our release and the worker's bind."""


async def wait_ready(
    process: WorkerProcess,
    client: WorkerClient,
    command: WorkerCommand,
    launch: Launch,
    *,
    timeout_s: float,
    on_health: OnHealth,
) -> None:
    """Poll the authenticated readiness path until it answers 200.

    A worker that holds the GIL answers nothing for the whole load, so that silence says nothing; only its end, the
    wrong answer, or the time limit ends the wait.

    :raises ModelLoadError: it ended, speaks another protocol, or took longer than *timeout_s*
    :raises TokenRefused: it refuses its own token
    :raises PortLostError: another program listens on the port that the worker was given
    """
    pause_s = FIRST_PAUSE_S
    try:
        async with asyncio.timeout(timeout_s):
            while not process.exited.done():
                if await _is_ready(process, client, command, launch, on_health):
                    break
                await asyncio.wait([process.exited], timeout=pause_s)
                pause_s = min(pause_s * 1.3, LONGEST_PAUSE_S)
    except OtherProtocol as found:
        raise ModelLoadError(
            f"the uml-core of '{command.argv[0]}' speaks worker protocol {found}, and UML {__version__} here speaks "
            f"{WORKER_PROTOCOL}; install one version of uml-core on both sides, `uml plugins` shows them"
        ) from None
    except TimeoutError:
        raise NotReadyError(
            f"the worker was not ready within {timeout_s:.0f} s; if the model is only slow to load, raise "
            "`load_timeout_s` in [supervisor] of uml.toml"
        ) from None
    if not process.exited.done():
        return
    if command.accepts == "port" and await asyncio.to_thread(_is_foreign, launch.port):
        raise PortLostError(f"port {launch.port} was taken by {holder(launch.port)} before the worker could bind it")
    raise ModelLoadError("the worker ended while loading")


async def _is_ready(
    process: WorkerProcess,
    client: WorkerClient,
    command: WorkerCommand,
    launch: Launch,
    on_health: OnHealth,
) -> bool:
    """Ask once. Whether it says yes or refuses the token: what answers may be somebody else, who can't know it."""
    try:
        ready = await _answers_while_alive(process, client, command.ready_path, on_health)
    except TokenRefused:
        await _prove_ours(process, command, launch)
        raise
    if ready:
        await _prove_ours(process, command, launch)
    return ready


async def _answers_while_alive(process: WorkerProcess, client: WorkerClient, path: str, on_health: OnHealth) -> bool:
    """Ask once; its end is noticed at once, also while somebody else keeps us waiting on that port."""
    question = asyncio.create_task(_answers(client, path, on_health))
    try:
        both: list[asyncio.Future[Any]] = [question, process.exited]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        return question.done() and question.result()
    finally:
        question.cancel()


async def _answers(client: WorkerClient, path: str, on_health: OnHealth) -> bool:
    with contextlib.suppress(TimeoutError, UMLError):
        async with asyncio.timeout(ANSWER_S):
            response = await client.get(path)
            try:
                return await _read(response, on_health)
            finally:
                await response.aclose()
    return False


async def _read(response: WorkerResponse, on_health: OnHealth) -> bool:
    if response.status in {401, 403}:
        raise TokenRefused
    with contextlib.suppress(ValueError, RecursionError):
        health = json.loads(await response.read())
        if isinstance(health, dict):
            _check_protocol(health)
            on_health(health)
    return response.status == 200


def _check_protocol(health: Mapping[str, Any]) -> None:
    """Another environment's uml-core may have changed since it was asked; a foreign server says nothing of it."""
    protocol = health.get("protocol", WORKER_PROTOCOL)
    if protocol != WORKER_PROTOCOL:
        raise OtherProtocol(protocol)


class TokenRefused(Exception):
    """The listener doesn't know the token of this launch."""


async def _prove_ours(process: WorkerProcess, command: WorkerCommand, launch: Launch) -> None:
    if command.accepts == "port" and not await asyncio.to_thread(listens, process.tree(), launch.port):
        raise PortLostError(f"port {launch.port} belongs to {holder(launch.port)}, not to the worker")


def _is_foreign(port: int) -> bool:
    return holder(port) != "another program"
