"""The backend that docs/hooks.md shows is one: installed as its reader would, it passes the conformance kit."""

import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "hooks.md"

UNCLAIMED = re.compile(r"doesn't claim|declares no `\w+_(text|query)`")
"""What a kit skips of a backend that writes, and says no more of itself than it must."""


@pytest.fixture
def files():
    """The files of the page: a name in backquotes at the start of a paragraph, and the fence after it."""
    found = re.findall(r"^`([\w/.]+)`[^`]*\n\n```\w+\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return dict(found)


@pytest.fixture
def python(tmp_path, files):
    """An interpreter that has what this one has, and the documented package: a worker sees no PYTHONPATH."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    [site] = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "all.pth").write_text("\n".join([str(tmp_path / "src"), *filter(None, sys.path)]))
    project = tomllib.loads(files["pyproject.toml"])["project"]
    info = site / f"uml_parrot-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    entries = "\n".join(f"{name} = {value}" for name, value in project["entry-points"]["uml"].items())
    (info / "entry_points.txt").write_text(f"[uml]\n{entries}\n")
    return tmp_path / "venv" / "bin" / "python"


def test_the_documented_backend_passes_the_kit(python, tmp_path):
    ran = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:cacheprovider", "-rs", "tests"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    skipped = re.findall(r"^SKIPPED .*?: (.*)$", ran.stdout, re.MULTILINE)
    left = [reason for reason in skipped if not UNCLAIMED.search(reason)]
    assert len(left) == 3, ran.stdout  # no engine, no word of its own on memory, and the page shows no README
    assert len(skipped) > len(left)


def test_it_is_less_than_60_lines(files):
    code = [line for name in files if name.startswith("src/") for line in files[name].splitlines() if line.strip()]
    assert len(code) < 60
