"""The words that install the same again."""

from __future__ import annotations

import json

import pytest

from uml_core.environments.origin import requirement


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A distribution on the path, from the place that is said."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(origin=None):
        info = tmp_path / "uml_unit-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: uml-unit\nVersion: 1.5\n")
        if origin is not None:
            (info / "direct_url.json").write_text(origin if isinstance(origin, str) else json.dumps(origin))

    return install


@pytest.mark.parametrize("origin", [None, {}, "[]", "{", {"url": "file:///gone/away", "dir_info": {"editable": True}}])
def test_from_an_index_or_nobody_knows_where(installed, origin):
    installed(origin)
    assert requirement("uml-unit") == ("uml-unit==1.5",)
    assert requirement("uml-unit", extra="engine") == ("uml-unit[engine]==1.5",)


def test_from_a_folder(installed, tmp_path):
    (tmp_path / "a folder").mkdir()
    url = (tmp_path / "a folder").as_uri()
    installed({"url": url, "dir_info": {}})
    assert "%20" in url
    assert requirement("uml-unit", extra="engine") == (f"uml-unit[engine] @ {url}",)


def test_from_a_folder_that_is_worked_on(installed, tmp_path):
    (tmp_path / "a folder").mkdir()
    installed({"url": (tmp_path / "a folder").as_uri(), "dir_info": {"editable": True}})
    assert requirement("uml-unit", extra="engine") == ("-e", f"{tmp_path}/a folder[engine]")
    assert requirement("uml-unit") == ("-e", f"{tmp_path}/a folder")


def test_from_a_commit(installed):
    installed(
        {
            "url": "https://example.org/uml.git",
            "vcs_info": {"vcs": "git", "commit_id": "abc123", "requested_revision": "main"},
            "subdirectory": "plugins/uml-unit",
        }
    )
    [word] = requirement("uml-unit")
    assert word == "uml-unit @ git+https://example.org/uml.git@abc123#subdirectory=plugins/uml-unit"


def test_from_an_archive(installed):
    installed({"url": "https://example.org/uml_unit-1.5-py3-none-any.whl", "archive_info": {}})
    assert requirement("uml-unit") == ("uml-unit @ https://example.org/uml_unit-1.5-py3-none-any.whl",)
