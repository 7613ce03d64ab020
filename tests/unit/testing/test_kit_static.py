"""The static half of the conformance kit finds what it is there to find: one broken plugin for each test."""

import ast
import re
import textwrap
from pathlib import Path

import pytest

from uml_core.testing import BackendConformance
from uml_core.testing.conformance import card, detection, honesty, launching, memory, options

pytest_plugins = ["pytester"]
STATIC = {
    node.name
    for module in (card, detection, honesty, launching, memory, options)
    for node in ast.walk(ast.parse(Path(module.__file__).read_text("utf-8")))
    if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
}
WITH_A_CHILD = {"test_import_is_light", "test_says_what_is_missing"}
PLUGIN = """
    import sys
    from importlib.util import find_spec

    from pydantic import BaseModel, ConfigDict, Field
    from uml_core import hookimpl
    from uml_core.testing import FAKE_FORMAT
    from uml_core.types import BackendInfo, Level, Match, Rejected, WorkerCommand

    uml_api_version = 1


    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")
        n_ctx: int | None = Field(None, ge=1, description="tokens of context")


    @hookimpl
    def uml_model_formats():
        return [FAKE_FORMAT]


    @hookimpl
    def uml_backend_info():
        return BackendInfo(
            name="mine", formats=("fake",), tasks=("text-generation",), options=Options, engine="my-engine"
        )


    @hookimpl
    def uml_detect_backend(model):
        if model.format != "fake":
            return None
        if find_spec("my_engine") is None:
            return Rejected("my-engine is not installed", hint="pip install my-engine")
        return Match(Level.NATIVE, "made for it")


    @hookimpl
    def uml_launch_worker(plan, launch):
        return WorkerCommand(argv=(sys.executable, "-m", "nothing", str(launch.port)))
"""
CASE = """
    import my_plugin
    import pytest
    from uml_core.testing import BackendConformance, write_fake_model


    class TestMine(BackendConformance):
        plugin = my_plugin
        engine = "my_engine"

        @pytest.fixture(scope="class")
        @classmethod
        def sample(cls, tmp_path_factory):
            return write_fake_model(tmp_path_factory.mktemp("models") / "a.fake")
"""


@pytest.fixture
def failing(pytester, monkeypatch):
    """Run the static half on a plugin that differs from a good one in some places; which tests didn't pass."""
    monkeypatch.syspath_prepend(str(pytester.path))

    def run(*changes, case="", without=WITH_A_CHILD):
        source, test = textwrap.dedent(PLUGIN), textwrap.dedent(CASE) + textwrap.indent(textwrap.dedent(case), "    ")
        for old, new in changes:
            assert old in source + test
            source, test = source.replace(old, new), test.replace(old, new)
        pytester.makepyfile(my_plugin=source, my_engine="", test_mine=test)
        (pytester.path / "pyproject.toml").touch()
        (pytester.path / "README.md").write_text("pip install my-engine")
        ran = pytester.runpytest_inprocess("-p", "no:asyncio", "-k", " or ".join(STATIC - without), "-rfEx")
        return sorted(set(re.findall(r"^(?:FAILED|ERROR|XFAIL) .*::(test_\w+)", "\n".join(ran.outlines), re.MULTILINE)))

    return run


def test_a_good_plugin_passes(failing):
    assert failing(without=set()) == []


LAUNCH = "@hookimpl\ndef uml_launch_worker"
ESTIMATING = """@hookimpl
def uml_estimate_memory(plan):
    import subprocess
    from uml_core.types import MemoryEstimate, MemoryPart

    return MemoryEstimate(parts=({}))


@hookimpl
def uml_launch_worker"""
FAULTS = [
    ("test_knobs_are_options", "options=Options,", 'options=Options, knobs={"gpu_layers": "layers"},'),
    ("test_import_is_light", "import sys", "import sys, my_engine"),
    ("test_card_is_complete", 'name="mine"', 'name="Mine-All"'),
    ("test_card_is_complete", '"text-generation"', '"chatting"'),
    ("test_unknown_options_are_refused", 'extra="forbid"', 'extra="ignore"'),
    ("test_options_are_documented_and_bounded", ', description="tokens of context"', ""),
    ("test_options_are_documented_and_bounded", "ge=1, ", ""),
    ("test_options_round_trip", "n_ctx: int", "n_ctx: Rounded"),
    ("test_leaves_foreign_formats_alone", 'model.format != "fake"', "False"),
    ("test_accepts_its_sample", "return Match", "return None and Match"),
    ("test_says_what_is_missing", 'hint="pip install my-engine"', 'hint=""'),
    ("test_says_what_is_missing", 'if find_spec("my_engine") is None', "import my_engine\n    if False"),
    ("test_launch_is_pure", "return WorkerCommand(", "launch.launch_file.touch()\n    return WorkerCommand("),
    ("test_launch_is_pure", "str(launch.port)", "str(id(object()) + next(COUNT))"),
    ("test_token_stays_out_of_argv", "str(launch.port)", "launch.token"),
    ("test_argv_is_text", "str(launch.port)", "launch.port"),
    ("test_argv_is_text", "sys.executable", '"a-program-that-nobody-has"'),
    ("test_limits_make_sense", '"nothing", str(launch.port))', '"nothing"), ready_path="health"'),
    ("test_knobs_are_options", "options=Options,", 'options=Options, knobs={"colour": "n_ctx"},'),
    ("test_knobs_are_options", "options=Options,", 'options=WithDefault, knobs={"batch": "n_batch"},'),
    ("test_parallel_is_a_number_of_sequences", "options=Options,", "options=Options, parallel=0,"),
    ("test_devices_are_known", '"made for it")', '"made for it", devices=("npu",))'),
    ("test_estimate_makes_sense", LAUNCH, ESTIMATING.format('MemoryPart.exact("gpu", "weights", 1),')),
    ("test_estimate_makes_sense", LAUNCH, ESTIMATING.format('MemoryPart.exact("cpu", "compute", -1),')),
    ("test_estimate_makes_sense", LAUNCH, ESTIMATING.format('2 * [MemoryPart.exact("cuda:0", "compute", 1)]')),
    ("test_estimate_makes_sense", LAUNCH, ESTIMATING.format('LEFT.append(subprocess.Popen(["sleep", "9"])) or ()')),
    ("test_foreign_lines_tell_nothing", "str(launch.port))", "str(launch.port)), progress=float"),
    ("test_readme_names_the_engine", 'engine="my-engine"', 'engine="another-engine"'),
]
EACH_TIME = 4  # the rest, seconds each, is for `nox -s proof`


@pytest.mark.parametrize(
    ("found", "old", "new"),
    [*FAULTS[:EACH_TIME], *(pytest.param(*fault, marks=pytest.mark.proof) for fault in FAULTS[EACH_TIME:])],
)
def test_a_fault_is_found_by_its_test_alone(failing, found, old, new):
    helpers = """
from itertools import count
from typing import Annotated
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

COUNT, LEFT = count(), []
Rounded = Annotated[int, PlainSerializer(lambda value: value // 100 * 100)]


class WithDefault(BaseModel):
    model_config = ConfigDict(extra="forbid")
    n_ctx: int | None = Field(None, ge=1, description="tokens of context")
    n_batch: int = Field(512, ge=1, description="tokens at once")
"""
    assert failing(
        ("import sys\n", f"import sys\n{helpers}") if old != "import sys" else (old, new),
        (old, new),
        case="options = {'n_ctx': 512}",
        without=WITH_A_CHILD - {found},
    ) == [found]


def test_a_required_option_is_found(failing):
    changes = ("n_ctx: int | None = Field(None, ", "n_ctx: int = Field(")
    assert failing(changes, case="options = {'n_ctx': 512}") == ["test_defaults_are_valid"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("uml_api_version = 1", "uml_api_version = 2"),
        ("def uml_launch_worker", "async def uml_launch_worker"),
        ("(plan, launch)", "(plan, launch, colour)"),
        ("@hookimpl\ndef uml_launch_worker", "def launch"),
    ],
)
def test_what_the_core_refuses_is_found(failing, old, new):
    found = failing((old, new))
    assert "test_core_accepts_it" in found
    assert ("test_api_version_is_ours" in found) == ("version" in old)


def test_an_entry_point_that_is_not_installed_is_found(failing):
    assert failing(case="entry_point = 'mine'") == ["test_entry_point_leads_to_the_plugin"]


@pytest.mark.parametrize("override", ["test_argv_is_text = None", "def test_argv_is_text(self): pass"])
def test_a_standard_test_that_is_taken_away_is_found(failing, override):
    assert failing(case=override) == ["test_no_silent_override"]


def test_an_override_with_a_reason_is_allowed_and_shown(failing):
    override = """
    @pytest.mark.xfail(reason="the engine reads its arguments from a file")
    def test_argv_is_text(self):
        raise AssertionError
    """
    assert failing(case=override) == ["test_argv_is_text"]  # as XFAIL


def test_the_test_against_overrides_can_not_be_overridden():
    with pytest.raises(TypeError, match="must not override test_no_silent_override"):
        type("TestSly", (BackendConformance,), {"test_no_silent_override": None})


def test_each_test_says_what_a_failure_means():
    for name in honesty.standard_tests():
        assert "A failure " in (getattr(BackendConformance, name).__doc__ or ""), name
