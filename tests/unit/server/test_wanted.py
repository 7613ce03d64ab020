"""Which models somebody wants to see."""

import pytest

from uml_core.server.wanted import Wanted

CARD = {
    "id": "Org/Name-Q4_K_M",
    "store": "folder",
    "also": [{"store": "ollama", "id": "name:latest"}],
    "format": "gguf",
    "architecture": "llama",
    "quantization": "Q4_K_M",
    "license": "apache-2.0",
    "tasks": ("text-generation", "image-text-to-text"),
    "aliases": ["small"],
}
UNREAD = {**CARD, "format": None, "architecture": None, "quantization": None, "license": None, "tasks": None}


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(task="Text-Generation"),
        Wanted(task="image-text-to-text", format="GGUF", store="ollama", query="org q4"),
        Wanted(query="SMALL apache"),
        Wanted(query="name:latest"),
        Wanted(task="", format="", store="", query=" "),
    ],
)
def test_met(wanted):
    assert wanted.includes(CARD)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(task="text"),
        Wanted(format="onnx"),
        Wanted(store="jan"),
        Wanted(query="org q5"),
        Wanted(query="small\nllama q8"),
        Wanted(task="text-generation", format="onnx"),
    ],
)
def test_not_met(wanted):
    assert not wanted.includes(CARD)


def test_what_was_not_read_yet_is_found_by_its_name_only():
    assert Wanted(query="name", store="folder").includes(UNREAD)
    assert not Wanted(task="text-generation").includes(UNREAD)
    assert not Wanted(format="gguf").includes(UNREAD)
