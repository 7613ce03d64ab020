"""Each hook is documented and tested, and the page is what the code says."""

import ast
import importlib.util
import re
import sys
from pathlib import Path

import pytest

from uml_core import hookspecs, types

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "hooks.md"
HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("uml_"))


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("generate_hooks", ROOT / "docs" / "generate_hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def headings():
    return re.findall(r"^#+ (.+)$", PAGE.read_text("utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def test_names():
    trees = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "tests").rglob("test_*.py")]
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, kinds)}


def test_the_page_is_current(generator, capsys):
    assert generator.main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_page_is_an_error(generator, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(generator, "PAGE", tmp_path / "hooks.md")
    assert generator.main(["--check"]) == 1
    generator.main([])
    assert generator.main(["--check"]) == 0
    (tmp_path / "hooks.md").write_text((tmp_path / "hooks.md").read_text("utf-8") + "by hand", "utf-8")
    assert generator.main(["--check"]) == 1
    assert "python docs/generate_hooks.py" in capsys.readouterr().err


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_has_a_section_with_its_signature_when_and_example(hook, headings):
    assert hook in headings
    section = PAGE.read_text("utf-8").split(f"\n### {hook}\n")[1].split("\n### ")[0]
    assert f"\n{hook}(" in section
    assert "\nWhen: " in section
    assert "Called by: " in section
    assert "\nExample:\n" in section


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_has_a_test(hook, test_names):
    assert f"test_hook_{hook}" in test_names, f"write a test named test_hook_{hook} that checks it"


@pytest.mark.parametrize("value", types.__all__)
def test_each_value_has_a_section(value, headings):
    if isinstance(getattr(types, value), type):
        assert value in headings


def test_the_code_of_the_page_is_python():
    for code in re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        if not re.match(r"(async )?\w+\(.*\) -> ", code):  # a signature
            ast.parse(code)


def test_the_page_names_no_place_of_this_machine():
    text = PAGE.read_text("utf-8")
    assert " at 0x" not in text
    assert str(Path.home()) not in text
    assert sys.prefix not in text
