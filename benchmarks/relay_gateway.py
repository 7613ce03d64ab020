"""The gateway of `relay.py`, with app, supervisor, log and database as in `uml serve`, and the source as its worker."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pydantic import BaseModel

from uml_core import hookimpl, plugins
from uml_core.registry.records import Records
from uml_core.server import logs
from uml_core.server.app import create_app
from uml_core.server.ending import Ending
from uml_core.server.gateway_server import GatewayServer
from uml_core.server.in_flight import InFlight
from uml_core.server.run import kept
from uml_core.settings import Settings
from uml_core.storage import Storage
from uml_core.supervisor import Supervisor
from uml_core.supervisor.endpoint import gateway_listener
from uml_core.tasks import plugin as tasks
from uml_core.types import BackendInfo, Level, LoadRequest, Match, ModelSource, Plan, StoredModel, WorkerCommand

MODEL = "bench"
SOURCE = Path(__file__).with_name("relay.py").resolve()


class Backend:
    uml_api_version = 1

    @hookimpl
    def uml_backend_info(self) -> BackendInfo:
        return BackendInfo(name="bench", formats=("bench",), tasks=("text-generation",), options=BaseModel)

    @hookimpl
    def uml_detect_backend(self) -> Match:
        return Match(Level.NATIVE, "this is its benchmark")

    @hookimpl
    def uml_launch_worker(self) -> WorkerCommand:
        return WorkerCommand(argv=(sys.executable, str(SOURCE), "source"), accepts="port")


class OneModel:
    """A registry and a planner that know the source and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.records = Records()
        self.aliases: dict[str, str] = {}
        self._folder = folder
        self._model = ModelSource(path=folder, format="bench", files=(), size_bytes=0)

    @property
    def registry(self) -> OneModel:
        return self

    def models(self) -> list[StoredModel]:
        return [StoredModel(id=MODEL, path=self._folder, size_bytes=0, store="bench")]

    def source(self, _: StoredModel) -> ModelSource:
        return self._model

    def find(self, ref: str, *, allow_path: bool = False) -> StoredModel:  # noqa: ARG002
        return self.models()[0]

    def plan(self, *_: LoadRequest, **__: bool) -> Plan:
        return Plan(
            model_id=MODEL, model=self._model, backend="bench", tasks=("text-generation",), context_length=4096,
            parallel=32,
        )  # fmt: skip


async def gateway(folder: Path) -> None:
    logs.configure()
    loaded = plugins.load(builtins={"tasks": tasks, "bench": Backend()}, entry_points=[])
    settings, model = Settings(data_dir=folder), OneModel(folder)
    with kept(Storage(folder), limit_s=5) as storage:
        async with Supervisor(loaded, model, settings, storage=storage) as supervisor:  # type: ignore[arg-type]
            await supervisor.load(LoadRequest(model=MODEL))
            in_flight = InFlight()
            app = create_app(settings, loaded, model, supervisor, storage=storage, in_flight=in_flight)
            with gateway_listener("127.0.0.1", 0) as listener:
                server = GatewayServer(app, in_flight, ending=Ending(drain_s=1))
                active = supervisor.active()
                assert active
                print(json.dumps([listener.getsockname()[1], active.port]), flush=True)
                await server.serve([listener])
