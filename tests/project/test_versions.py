"""All packages have one version."""

import re
import tomllib
from pathlib import Path

import uml_core

ROOT = Path(__file__).parents[2]
PROJECTS = {
    path.parent.name: tomllib.loads(path.read_text("utf-8"))["project"]
    for path in sorted(ROOT.glob("*/pyproject.toml")) + sorted(ROOT.glob("plugins/*/pyproject.toml"))
}


def test_there_are_the_core_and_plugins():
    assert "uml-core" in PROJECTS
    assert len(PROJECTS) >= 3


def test_every_package_has_the_version_of_the_core():
    assert {project["version"] for project in PROJECTS.values()} == {uml_core.__version__}


def test_every_plugin_needs_the_core_of_its_minor_version():
    major, minor = map(int, uml_core.__version__.split(".")[:2])
    needed = f"uml-core>={major}.{minor},<{major}.{minor + 1}"
    for name, project in PROJECTS.items():
        core = [need for need in project["dependencies"] if need.startswith("uml-core")]
        assert core == ([] if name == "uml-core" else [needed]), name


def test_the_changelog_knows_the_version():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## .*{re.escape(uml_core.__version__)}", text, re.MULTILINE)
