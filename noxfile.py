"""Everything a developer or CI runs. `nox -l` lists it; `nox -s tests` is what must be green."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"

ROOT = Path(__file__).parent
CACHE = Path(os.environ.get("UML_DEV_CACHE") or Path.home() / ".cache" / "uml-dev")
PLUGINS = sorted(path.name for path in (ROOT / "plugins").iterdir() if (path / "pyproject.toml").is_file())
SOURCES = ["uml-core/src", *(f"plugins/{name}/src" for name in PLUGINS), "template/src"]
LLAMA_CPP_PYTHON = "llama-cpp-python==0.3.36"
TEST_TOOLS = ["pytest>=9", "pytest-asyncio>=1.2", "pytest-timeout>=2.4", "pytest-xdist>=3.8", "pexpect>=4.9"]
ENGINE_TOOLS = ["openai>=2", "httpx>=0.28", "gguf>=0.17", "hypothesis>=6.150", "jsonschema>=4.25"]
REFERENCE_TOOLS = ["safetensors>=0.6", "numpy>=2", "onnx>=1.20", "watchfiles>=1.1"]
"""What the readers of headers are compared with, and the core's optional package."""
TORCH = "torch==2.13.0"
ENGINES = [TORCH, "transformers>=5.20", "accelerate>=1.10", "onnxruntime>=1.32", "onnxruntime-genai>=0.18"]
"""What the plugins drive, besides llama.cpp; for `tests` and what proves or measures."""
MODEL_TOOLS = ["onnxscript>=0.7", "onnx-ir>=1.1", "filelock>=3.16", "pillow>=11"]
"""What `tests/models` makes models with: the formats of one model from another."""
AGENTS = ["pydantic-ai-slim[openai]>=2"]
LINT_TOOLS = ["ruff==0.17.6", "import-linter==2.16"]
TYPE_TOOLS = ["mypy==2.4.1", "types-psutil"]


@nox.session
def lint(session: nox.Session) -> None:
    """Style, import rules, and that generated documents are current."""
    session.install(*LINT_TOOLS, "-e", "uml-core[testing]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")
    session.run("python", "docs/generate_hooks.py", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict, over the sources of every package."""
    session.install(*TYPE_TOOLS, "-e", "uml-core[testing]")
    for source in SOURCES:
        session.run("mypy", source)


@nox.session
def tests(session: nox.Session) -> None:
    """All tests, with real engines and a real model; installs everything that they need."""
    install_all(session)
    # By file, for the fixtures of one hold real gateways and models; most tests wait for processes, so that two at a
    # time take little more than half as long.
    session.run("pytest", "--numprocesses", "2", "--dist", "loadfile", *session.posargs)


@nox.session
def proof(session: nox.Session) -> None:
    """The long tests that each run of `tests` has only some of."""
    install_all(session)
    session.run("pytest", "-m", "proof", *session.posargs)


@nox.session(python=["3.11", "3.12", "3.13"])
def versions(session: nox.Session) -> None:
    """Unit and integration tests on each supported Python, without engines."""
    session.install(*TEST_TOOLS, *ENGINE_TOOLS, *REFERENCE_TOOLS, "./uml-core[testing,text]", "./template")
    session.run("pytest", "tests/unit", "tests/integration", "template", *session.posargs)


@nox.session
@nox.parametrize("name", PLUGINS)
def plugin(session: nox.Session, name: str) -> None:
    """The conformance kit on one plugin, installed as a stranger would install it."""
    session.install(*TEST_TOOLS, *ENGINE_TOOLS, *MODEL_TOOLS, "./uml-core[testing]", f"./plugins/{name}")
    session.run("pytest", f"plugins/{name}", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """The benchmarks; minutes, on a quiet machine. Name some to run only those; `chaos` and `soak` only when named."""
    install_all(session)
    names = session.posargs or ["startup", "headers", "scan", "lifecycle", "switch", "relay", "throughput"]
    for name in names:
        session.run("python", f"benchmarks/{name}.py")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Damaged files into every reader, five minutes each under Atheris; `-- 60` for a minute each."""
    session.install("atheris>=3", "-e", "uml-core[testing]")
    seconds = session.posargs[0] if session.posargs else "300"
    for target in sorted((ROOT / "fuzz").glob("fuzz_*.py")):
        session.run("python", str(target), "--seconds", seconds)


@nox.session
def docs(session: nox.Session) -> None:
    """Write the documents that are made from the code."""
    session.install("-e", "uml-core[testing]")
    session.run("python", "docs/generate_hooks.py")


@nox.session
def demo(session: nox.Session) -> None:
    """Draw the README's terminal picture from real commands."""
    session.install("pyte", "./uml-core", "./plugins/uml-llamaserver")
    session.run("uml", "pull", "--yes", "starter")
    session.run("python", "docs/demo.py")


def install_all(session: nox.Session) -> None:
    """Every package from its folder, as users install them, and the engines."""
    session.install("--find-links", str(llama_cpp_wheel(session).parent), LLAMA_CPP_PYTHON)
    packages = ["./uml-core[testing,text]", *(f"./plugins/{name}" for name in PLUGINS), "./template"]
    session.install("--upgrade", "--force-reinstall", "--no-deps", *(name.split("[")[0] for name in packages))
    tools = [*TEST_TOOLS, *ENGINE_TOOLS, *REFERENCE_TOOLS, *TYPE_TOOLS, *LINT_TOOLS, *MODEL_TOOLS, *AGENTS]
    session.install(*tools, *ENGINES, *packages)


def llama_cpp_wheel(session: nox.Session) -> Path:
    """The wheel of llama-cpp-python for this processor, compiled once (6 to 10 minutes) and kept outside the clone."""
    folder = CACHE / "wheels" / processor()
    found = sorted(folder.glob("llama_cpp_python-0.3.36-*.whl"))
    if not found:
        session.warn(f"compiling {LLAMA_CPP_PYTHON} once, 6 to 10 minutes; it is kept in {folder}")
        session.run("python", "-m", "pip", "wheel", "--no-deps", "-w", str(folder), LLAMA_CPP_PYTHON)
        found = sorted(folder.glob("llama_cpp_python-0.3.36-*.whl"))
    return found[0]


def processor() -> str:
    """A name for this processor's instruction set: the wheel is compiled for it, and is of no use on another."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else [platform.processor()]
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), lines[0])
    return f"{platform.machine()}-{hashlib.sha256(flags.encode()).hexdigest()[:8]}"
