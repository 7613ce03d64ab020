"""What is read from an installer's lines; the lines are real ones of pip 26 and uv 0.9."""

from __future__ import annotations

import pytest

from uml_core.environments.step import Step, next_step

BEFORE = Step(label="before")


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("Collecting torch>=2.4 (from uml-unit==0.1.0)", "looking for torch"),
        ("Collecting numpy (from -r requirements.txt (line 1))", "looking for numpy"),
        ("Obtaining file:///home/me/uml/uml-core", "looking at uml-core"),
        ("Processing ./plugins/uml-unit", "looking at uml-unit"),
        ("  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl (900 MB)", "downloading torch-2.13.0-"),
        ("  Downloading https://example.org/whl/torch-2.13.0-cp311-none-any.whl (2 MB)", "downloading torch-2.13.0-"),
        ("Using cached attrs-25.1.0-py3-none-any.whl (63 kB)", "taking attrs-25.1.0-"),
        ("  Building editable for uml-core (pyproject.toml): started", "building uml-core"),
        ("Building wheel for llama-cpp-python (pyproject.toml): still running...", "building llama-cpp-python"),
        ("  Installing build dependencies: started", "fetching build dependencies"),
        ("Installing collected packages: numpy, torch, uml-core", "installing 3 packages"),
        ("Resolved 31 packages in 1.20s", "installing 31 packages"),
        ("   Building llama-cpp-python==0.3.36", "building llama-cpp-python==0.3.36"),
        ("Downloading torch (900.0MiB)", "downloading torch"),
    ],
)
def test_a_line_that_says_what_is_done(line, label):
    step = next_step(line, BEFORE)
    assert step.label.startswith(label)
    assert (step.bytes_done, step.bytes_total) == (None, None)


def test_the_bytes_of_a_download():
    step = next_step("Progress 262144 of 900000000\n", BEFORE)
    assert step == Step(label="before", bytes_done=262144, bytes_total=900000000)
    assert next_step("Collecting numpy", step) == Step(label="looking for numpy")


@pytest.mark.parametrize(
    "line", ["", "  ", "Requirement already satisfied: attrs", "Progress of things", "\x00\x1b[31m"]
)
def test_a_line_that_says_nothing_of_it(line):
    assert next_step(line, BEFORE) is BEFORE
