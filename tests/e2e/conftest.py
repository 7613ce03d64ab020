"""A real gateway in a process of its own, as a user starts it, with a real model."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import httpx
import openai
import psutil
import pytest

OTHERS = ("UML_", "XDG_", "HF_", "HUGGINGFACE_", "OLLAMA_", "LLAMA_", "JAN_")


class Gateway:
    """`uml serve` on a data folder of its own."""

    def __init__(self, folder, models, **environment):
        self.data = folder
        home = folder / "home"  # with the models of no other program
        home.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(OTHERS)},
            "HOME": str(home),
            "UML_DATA_DIR": str(folder),
            "UML_MODELS_DIR": str(models),
            "UML_CONFIG": str(folder / "uml.toml"),
            "UML_DISABLED_PLUGINS": "template",  # it brings a model of its own
            **environment,
        }
        self.process = None

    def uml(self, *words, **rest):
        """Run a command of the CLI to its end."""
        return subprocess.run(
            [sys.executable, "-m", "uml_core", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=100,
            stdin=subprocess.DEVNULL,
            check=False,
            **rest,
        )

    def start(self):
        with self.output.open("ab") as output:  # a pipe that nobody reads would be full one day
            self.process = subprocess.Popen(
                [sys.executable, "-m", "uml_core", "serve", "--port", "0"],
                env=self.environment,
                stdout=output,
                stderr=output,
            )
        self.until(lambda: self.file.exists() and self.alive())
        return self

    def alive(self):
        with contextlib.suppress(httpx.HTTPError, ValueError, OSError):
            return httpx.get(f"{self.url}/livez").status_code == 200
        return False

    def until(self, condition, limit_s=30.0):
        deadline = time.monotonic() + limit_s
        while not condition():
            if self.process and self.process.poll() is not None:
                raise AssertionError(self.output.read_text())
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.02)

    @property
    def output(self):
        return self.data / "output.txt"

    @property
    def file(self):
        return self.data / "run" / "gateway.json"

    @property
    def url(self):
        return json.loads(self.file.read_text())["url"]

    @property
    def openai(self):
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=60)

    def load(self, model, **rest):
        answer = httpx.post(f"{self.url}/load_model", json={"model": model, "wait": True, **rest}, timeout=100)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def active(self):
        return httpx.get(f"{self.url}/active_model").json()

    def offspring(self):
        """Every process that this gateway's workers are made of."""
        with contextlib.suppress(psutil.Error):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def stop(self, number=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(60)


@pytest.fixture(scope="session")
def models(tmp_path_factory, smollm2):
    """A models folder with the real model, linked, under its own name."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "SmolLM2-135M-Instruct.Q4_1.gguf").symlink_to(smollm2)
    return folder


@pytest.fixture
def gateway(tmp_path, models):
    made = Gateway(tmp_path / "data", models)
    yield made
    made.stop()


@pytest.fixture(scope="module", params=["llamaserver", "llamacpp"])
def loaded(request, tmp_path_factory, models):
    """A gateway that has the real model loaded through one of the backends."""
    made = Gateway(tmp_path_factory.mktemp(request.param), models)
    made.start()
    made.load("SmolLM2-135M-Instruct.Q4_1", backend=request.param, context_length=2048)
    yield made
    made.stop()
    shutil.rmtree(made.data, ignore_errors=True)


TINY = {"llamaserver": "tiny_gguf", "llamacpp": "tiny_gguf", "transformers": "tiny", "onnx": "tiny_genai"}
"""The project's tiny model as each backend wants it."""


@pytest.fixture(scope="session")
def fleet(tmp_path_factory):
    """Gateways that tests of several files share, each with one model loaded: started when first asked for."""
    started = {}

    def loaded(backend, path, **options):
        key = (backend, path, repr(sorted(options.items())))
        if key not in started:
            folder = tmp_path_factory.mktemp(backend)
            lay(path, folder / "models")
            # the settings of one gateway are nobody else's: pickles of our own making are as good as any other file
            started[key] = made = Gateway(folder / "data", folder / "models", UML_ALLOW_PICKLES="true").start()
            made.model = made.load(path.name.removesuffix(".gguf"), backend=backend, **options)["model"]
            made.backend = backend
        return started[key]

    yield loaded
    for made in started.values():
        made.stop()


def lay(path, models):
    """Put a model into a models folder, without a copy of its files; links to folders are not followed there."""
    models.mkdir()
    if path.is_file():
        (models / path.name).symlink_to(path)
    else:
        shutil.copytree(path, models / path.name, copy_function=link)


def link(source, target):
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


@pytest.fixture(params=TINY)
def tiny_loaded(request, fleet):
    """A gateway that has the tiny model loaded, through each of the backends in turn."""
    return fleet(request.param, request.getfixturevalue(TINY[request.param]), parallel=4)
