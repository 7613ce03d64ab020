"""`uml serve` as a service manager runs it: on a folder and a port of its own, started again when it has ended."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import httpx
import psutil

READY_S = 30.0
END_S = 60.0


class Broken(Exception):
    """The gateway did something that no fault explains."""


class Service:
    """One gateway after the other, all with the same data folder, settings and port."""

    def __init__(self, folder: Path, models: Mapping[str, Path], *, settings: str = "") -> None:
        """Lay out the folder; nothing is started yet.

        :param models: the models' names, and the file of each
        :param settings: the content of ``uml.toml``
        """
        self.folder = folder
        self.run_folder = folder / "run"
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "models").mkdir(parents=True)
        for name, file in models.items():
            (folder / "models" / f"{name}.gguf").symlink_to(file.resolve())
        # one file under several names is one model, unless a name has settings of its own
        own = "".join(f'[models."{name}"]\n' for name in models if f'[models."{name}"]' not in settings)
        (folder / "uml.toml").write_text(f"{settings}\n{own}")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def start(self) -> None:
        """Start it and wait until it takes requests.

        :raises Broken: it ended, or is not ready within 30 s
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith("UML_")}
        own = {
            "UML_DATA_DIR": str(self.folder),
            "UML_CONFIG": str(self.folder / "uml.toml"),
            "UML_DISABLED_PLUGINS": "template",
        }
        with (self.folder / "output.txt").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "uml_core", "serve", "--port", str(self.port)],
                env=kept | own,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        deadline = monotonic() + READY_S
        async with httpx.AsyncClient() as client:
            while not await _is_alive(client, self.url):
                if self.process.poll() is not None or monotonic() > deadline:
                    raise Broken(f"the gateway is not ready (code {self.process.poll()}): {self.last_words()}")
                await asyncio.sleep(0.01)

    def last_words(self) -> str:
        return (self.folder / "output.txt").read_text(errors="replace")[-3000:]

    async def kill(self) -> None:
        """End it with SIGKILL, and wait until the kernel has buried it."""
        assert self.process is not None
        self.process.kill()
        await asyncio.to_thread(self.process.wait)

    async def end(self) -> int:
        """End it with SIGTERM; its exit code, or that of SIGKILL if it takes longer than a minute."""
        assert self.process is not None
        self.process.terminate()
        try:
            return await asyncio.to_thread(self.process.wait, END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return await asyncio.to_thread(self.process.wait)

    async def active(self) -> dict[str, Any]:
        """What is loaded, as the gateway tells it; empty when it can't be asked."""
        with suppress(httpx.HTTPError, ValueError):
            async with httpx.AsyncClient(base_url=self.url, timeout=10) as client:
                said: dict[str, Any] = (await client.get("/active_model")).json()
                return said
        return {}

    async def engine(self) -> tuple[psutil.Process, int] | None:
        """The engine that the gateway tells of, if it really descends from that gateway, and its generation."""
        said = await self.active()
        with suppress(psutil.Error):
            if said.get("pid"):
                engine = psutil.Process(said["pid"])
                if self.pid in {parent.pid for parent in engine.parents()}:
                    return engine, said["generation"]
        return None


@contextmanager
def service(models: Mapping[str, Path], *, settings: str = "") -> Iterator[Service]:
    """A service in a temporary folder; whatever of it still runs at the end is killed."""
    with TemporaryDirectory(prefix="uml-proof-") as folder:
        made = Service(Path(folder) / "data", models, settings=settings)
        try:
            yield made
        finally:
            if made.process is not None and made.process.poll() is None:
                made.process.kill()
                made.process.wait()


async def _is_alive(client: httpx.AsyncClient, url: str) -> bool:
    with suppress(httpx.HTTPError):
        return (await client.get(f"{url}/livez", timeout=5)).status_code == 200
    return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
