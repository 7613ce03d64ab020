import contextlib
import io

import pytest

from uml_core.cli.run import choose
from uml_core.cli.starter import description
from uml_core.errors import ModelNotFoundError, PullError
from uml_core.settings import read_settings
from uml_core.types import Offer, StoredModel


class Here:
    """A machine with some models, one of them loaded or none, and a starter that can be fetched."""

    def __init__(self, *ids, loaded=None, offers=True):
        self.ids, self.loaded, self.offers, self.fetched = list(ids), loaded, offers, 0

    def active(self):
        return self.loaded

    def models(self):
        return self.ids

    def knows(self, ref):
        return ref in self.ids

    def offer(self, ref):
        if not self.offers or ref not in {"starter", "Smol"}:
            return None
        return Offer(
            id="Smol",
            title="Smol 135M",
            source="an index",
            size_bytes=93_000_000,
            license="Apache-2.0",
            fetch=self.fetch,
        )

    def fetch(self, progress):
        progress(1, 2)
        self.fetched += 1
        return StoredModel(id="Smol", path=read_settings().models_folder / "Smol.gguf", size_bytes=2, store="folder")


@pytest.mark.parametrize(
    ("here", "ref", "chosen"),
    [
        (Here("a", "b"), "b", "b"),
        (Here("a", "b", loaded="b"), None, "b"),
        (Here("a", "b"), None, "a"),
        (Here("a"), None, "a"),
        (Here("a"), "unknown", "unknown"),
        (Here("a", "Smol"), "starter", "Smol"),
    ],
)
def test_which_model(here, ref, chosen):
    assert choose(here, ref, pull=False) == chosen
    assert here.fetched == 0


def test_a_choice_among_several_is_said(capsys):
    choose(Here("a", "b"), None, pull=False)
    assert "taking a, one of 2 that can answer" in capsys.readouterr().err


@pytest.mark.parametrize("ref", [None, "starter"])
def test_without_a_terminal_the_starter_is_only_offered(ref, capsys):
    here = Here()
    said = r"Smol 135M: 93 MB, licence Apache-2\.0, from an index.*uml pull starter.*--pull"
    with pytest.raises(ModelNotFoundError, match=said) as caught:
        choose(here, ref, pull=False)
    assert caught.value.exit_code == 3
    assert here.fetched == 0


def test_with_pull_it_is_said_and_fetched(capsys):
    here = Here()
    assert choose(here, None, pull=True) == "Smol"
    said = capsys.readouterr().err
    assert said.index("93 MB") < said.index("fetched Smol")
    assert here.fetched == 1


@pytest.mark.parametrize(("typed", "fetched"), [("\n", 1), ("n\n", 0), ("", 0)])
def test_a_terminal_is_asked(monkeypatch, typed, fetched):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal(typed))
    monkeypatch.setattr("sys.stderr", Terminal())
    here = Here()
    with contextlib.nullcontext() if fetched else pytest.raises(ModelNotFoundError):
        choose(here, None, pull=False)
    assert here.fetched == fetched


def test_what_cannot_be_fetched_is_told():
    def fetch(progress):
        raise PullError("the index is silent")

    here = Here()
    here.fetch = fetch
    with pytest.raises(PullError):
        choose(here, None, pull=True)


def test_the_description_has_source_size_and_licence():
    assert description(Here().offer("starter")) == "Smol 135M: 93 MB, licence Apache-2.0, from an index"
