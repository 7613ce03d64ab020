"""Real workers with real engines, started as the supervisor does it, and what their end is taken for."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import struct
import sys
import venv

import pytest
from attrs import evolve, frozen

from uml_core import plugins
from uml_core.inspection.gguf import read
from uml_core.supervisor import endpoint, run_folder
from uml_core.supervisor.diagnosis import diagnose, to_error
from uml_core.supervisor.environment import worker_environment
from uml_core.supervisor.log import TAIL_LINES, WorkerLog
from uml_core.supervisor.process import WorkerProcess
from uml_core.types import Plan, WorkerExit

ENGINES = {"llamaserver": "xllamacpp", "llamacpp": "llama_cpp"}
PORTS = range(19700, 19800)
PATIENCE_S = 60.0
MODEL_ID = "org/smol"


@frozen
class Ending:
    """How a worker ended, and what a user would be told."""

    exit: WorkerExit
    diagnosis: object
    error: Exception


class Bench:
    """Starts a worker of one backend, waits for its end, and has it diagnosed."""

    def __init__(self, folder, name, model):
        self.folder = folder
        self.name = name
        self.model = model
        self.plugin = importlib.import_module(f"uml_{name}.plugin")
        self.plugins = plugins.load(builtins={name: self.plugin}, entry_points=())

    async def end(
        self,
        model=None,
        *,
        context_length=512,
        parallel=1,
        through=(),
        environment=None,
        settings=None,
        port=None,
        strike=None,
        state="loading",
        oom_kills=lambda: 0,
        **options,
    ):
        """Launch it and wait until it has ended.

        :param through: a command before the worker's own, such as one that sets limits
        :param port: where it is to listen, though somebody else may
        :param strike: words in its log, and what is called with process and launch when they are said
        :param oom_kills: read before and after
        """
        plan = self.plan(model or self.model, context_length, parallel, options, settings or {})
        kills = oom_kills()
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(endpoint.reserve(PORTS))
            launch = run_folder.prepare(
                self.folder / "run", generation=1, host=endpoint.HOST, port=port or listener.getsockname()[1]
            )
            stack.callback(run_folder.remove, launch)
            command = self.plugins.ask(self.name, "uml_launch_worker", plan=plan, launch=launch)
            descriptors = [listener.fileno()] if command.accepts == "fd" else []
            if not descriptors:
                listener.close()
            run_folder.write_launch_file(launch, plan, *descriptors or [None])
            log = WorkerLog(self.folder / "worker.log", secret=launch.token, facts={})
            process = await WorkerProcess.start(
                [*through, *command.argv],
                environment=worker_environment(
                    os.environ,
                    passed=(),
                    own={**command.env, **(environment or {})},
                    launch={"UML_LAUNCH_ID": launch.launch_id, "UML_LAUNCH_FILE": str(launch.launch_file)},
                ),
                folder=launch.run_dir,
                descriptors=descriptors,
                launch_id=launch.launch_id,
                on_output=log.feed,
            )
            if strike is not None:
                words, call = strike
                log.watchers.append(once(lambda line: words in line, lambda: call(process, launch)))
            try:
                ended = await asyncio.wait_for(asyncio.shield(process.exited), PATIENCE_S)
            finally:
                process.kill()
                await process.gone
                log.close()
        exit = WorkerExit(
            code=ended.code,
            signal=ended.signal,
            state=state,
            intended=False,
            log_tail=log.last(TAIL_LINES),
            oom_kills=None if kills is None else oom_kills() - kills,
        )
        diagnosis = await diagnose(self.plugins, plan, exit, elapsed_s=1.0)
        error = to_error(diagnosis, plan=plan, exit=exit)
        print(f"{self.name}: {error.code}: {error.message}")  # `pytest -rP` shows what a user would read
        return Ending(exit, diagnosis, error)

    def plan(self, model, context_length, parallel, options, settings):
        card = self.plugins.backends[self.name]
        return Plan(
            model_id=MODEL_ID,
            model=model,
            backend=self.name,
            tasks=card.tasks,
            context_length=context_length,
            parallel=parallel,
            # Unchecked: what a plugin refuses beforehand has to be explained when an engine meets it all the same.
            options=card.options.model_construct(**options).model_dump(),
            settings=card.settings(**settings).model_dump(mode="json"),
        )


def once(is_it, call):
    """A watcher of lines that acts on the first one that it waits for."""
    waiting = [True]

    def watch(line):
        if waiting and is_it(line):
            waiting.clear()
            call()

    return watch


@pytest.fixture(scope="session")
def smollm2_source(smollm2):
    return read(smollm2)


@pytest.fixture(params=list(ENGINES))
def bench(request, tmp_path, smollm2_source):
    """Each backend that has a real engine, with the real model."""
    name = request.param
    for module in (f"uml_{name}", ENGINES[name]):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    return Bench(tmp_path, name, smollm2_source)


class Altered:
    """Copies of the real model with one fault each; the header is parsed before the fault comes in, as a file that
    breaks between the check and the load would be."""

    def __init__(self, folder, whole):
        self.folder = folder
        self.whole = whole
        with whole.path.open("rb") as file:
            self.head = file.read(4 << 20)

    def _copy(self, name, bytes_kept=None):
        path = self.folder / name
        shutil.copyfile(self.whole.path, path)
        if bytes_kept is not None:
            os.truncate(path, bytes_kept)
        return path, evolve(self.whole, path=path, files=(path,))

    def cut(self, bytes_kept):
        return self._copy("cut.gguf", bytes_kept)[1]

    def patched(self, offset, new):
        path, source = self._copy("altered.gguf")
        with path.open("r+b") as file:
            file.seek(offset)
            file.write(new)
        return source

    def magic(self):
        return self.patched(0, b"GGUX")

    def version(self):
        return self.patched(4, struct.pack("<I", 99))

    def architecture(self):
        key = self._key(b"general.architecture")
        return self.patched(key + 12, b"lamma")  # after the type of the value and its length

    def block_count(self):
        return self.patched(self._key(b"llama.block_count") + 4, struct.pack("<I", 31))

    def tensor_type(self, name, number):
        at = self._key(name)
        (dimensions,) = struct.unpack_from("<I", self.head, at)
        return self.patched(at + 4 + 8 * dimensions, struct.pack("<I", number))

    def _key(self, name):
        return self.head.index(struct.pack("<Q", len(name)) + name) + 8 + len(name)

    def missing(self):
        return evolve(self.whole, path=self.folder / "gone.gguf", files=(self.folder / "gone.gguf",))

    def without_its_second_shard(self):
        """The first of two parts: all metadata, and the first of the tensors."""
        first_tensor = self.head.index(struct.pack("<Q", 17) + b"token_embd.weight")
        _, pairs = struct.unpack_from("<QQ", self.head, 8)
        split = b"".join(
            struct.pack("<Q", len(key)) + key + value
            for key, value in (
                (b"split.no", struct.pack("<IH", 2, 0)),
                (b"split.count", struct.pack("<IH", 2, 2)),
                (b"split.tensors.count", struct.pack("<Ii", 5, 2)),
            )
        )
        tensor = struct.pack("<Q", 17) + b"token_embd.weight" + struct.pack("<IQIQ", 1, 32, 0, 0)
        head = struct.pack("<4sIQQ", b"GGUF", 3, 1, pairs + 3) + self.head[24:first_tensor] + split + tensor
        path = self.folder / "smol-00001-of-00002.gguf"
        path.write_bytes(head.ljust(-(-len(head) // 32) * 32, b"\0") + bytes(128))
        return evolve(self.whole, path=path, files=(path, self.folder / "smol-00002-of-00002.gguf"))


@pytest.fixture
def altered(tmp_path, smollm2_source):
    return Altered(tmp_path, smollm2_source)


@pytest.fixture
def bare_python(tmp_path):
    """A Python without any package."""
    venv.create(tmp_path / "bare", symlinks=True)
    return tmp_path / "bare" / "bin" / "python"


@pytest.fixture
def limited():
    """A command that runs another one with so much address space."""
    script = "import os, resource, sys; size = int(sys.argv[1]); resource.setrlimit(resource.RLIMIT_AS, (size, size))"
    return lambda size: (sys.executable, "-I", "-S", "-c", f"{script}; os.execv(sys.argv[2], sys.argv[2:])", str(size))
