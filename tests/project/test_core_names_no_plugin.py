"""The core never names a plugin: whatever one plugin gets, every plugin could have."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECTS = sorted((ROOT / "plugins").glob("*/pyproject.toml"))
WORDS = {"onnx", "transformers"}
"""Names of backends that are also those of a format and of a library."""


def names_of(project):
    said = tomllib.loads(project.read_text("utf-8"))["project"]
    distribution = said["name"]
    return {distribution, distribution.replace("-", "_"), *said["entry-points"]["uml"]} - WORDS


def test_there_are_plugins():
    assert PROJECTS


@pytest.mark.parametrize("project", PROJECTS, ids=[project.parent.name for project in PROJECTS])
def test_core_names_no_plugin(project):
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, names_of(project)))})\b")
    named = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / "uml-core" / "src").rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not named, "\n".join(named)
