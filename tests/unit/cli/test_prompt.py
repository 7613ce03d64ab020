import io

import pytest

from uml_core.cli.prompt import Asked, understand


class Terminal(io.StringIO):
    def isatty(self):
        return True


def known(ref):
    return ref == "my model"


@pytest.mark.parametrize(
    ("words", "model", "asked"),
    [
        ([], None, Asked(None, None)),
        (["Why is the sky blue?"], None, Asked(None, "Why is the sky blue?")),
        (["smol"], None, Asked("smol", None)),
        (["smol", "Why", "blue?"], None, Asked("smol", "Why blue?")),
        (["my model", "Why?"], None, Asked("my model", "Why?")),
        (["not a model", "Why?"], None, Asked(None, "not a model Why?")),
        (["./a.gguf", "Why?"], None, Asked("./a.gguf", "Why?")),
        (["smol"], "other", Asked("other", "smol")),
        (["why", "is", "it"], "other", Asked("other", "why is it")),
        ([], "other", Asked("other", None)),
        (["two\nlines"], None, Asked(None, "two\nlines")),
    ],
)
def test_on_a_terminal(words, model, asked):
    assert understand(words, model=model, is_model=known, stdin=Terminal()) == asked


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ([], Asked(None, "piped")),
        (["smol"], Asked("smol", "piped")),
        (["smol", "Sum up:", "-"], Asked("smol", "Sum up: piped")),
        (["-"], Asked(None, "piped")),
        (["Sum this up", "-"], Asked(None, "Sum this up piped")),
        (["smol", "Why?"], Asked("smol", "Why?")),
    ],
)
def test_what_is_piped_in_is_the_prompt(words, asked):
    assert understand(words, model=None, is_model=known, stdin=io.StringIO("piped\n")) == asked


def test_a_given_prompt_never_waits_for_standard_input():
    class Endless(io.StringIO):
        def read(self, *_):
            raise AssertionError("a pipe that nobody closes would hang here")

    assert understand(["Why so?"], model=None, is_model=known, stdin=Endless()) == Asked(None, "Why so?")


def test_nothing_piped_in_is_no_prompt():
    assert understand([], model=None, is_model=known, stdin=io.StringIO(" \n")) == Asked(None, None)


def test_a_registry_is_asked_only_about_words_with_a_space():
    def never(ref):
        raise AssertionError(ref)

    understand(["smol", "two words"], model=None, is_model=never, stdin=Terminal())
