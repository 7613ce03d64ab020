from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from uml_core.registry.root import Root

PARTS = st.sampled_from(["a", "b", "c", "..", "."])
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
TARGETS = st.one_of(PATHS, PATHS.map("{base}/store/".__add__), PATHS.map("{base}/".__add__))
TREES = st.lists(st.tuples(PATHS, st.one_of(st.none(), TARGETS)), max_size=8)


def build(base: Path, tree: list[tuple[str, str | None]]) -> None:
    """Folders where there is no target, else links, in and beside a store; what can't be made is left out."""
    for place, target in tree:
        path = base / "store" / place
        if not Path(os.path.realpath(path.parent)).is_relative_to(base) or path.name == "..":
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target.format(base=base)) if target else path.mkdir()
        except OSError:
            continue


@settings(max_examples=150, deadline=None, derandomize=True)
@given(TREES, st.lists(PATHS, min_size=1, max_size=8))
def test_the_short_way_says_what_the_long_way_says(tree, paths):
    with TemporaryDirectory() as name:
        base = Path(os.path.realpath(name), "base")
        (base / "store").mkdir(parents=True)
        build(base, tree)
        root = Root(base / "store")
        for path in (f"{base}/store/{path}" for path in paths):
            real = Path(os.path.realpath(path))
            assert root.has(path) == real.is_relative_to(base / "store"), path
            if os.path.islink(path) and (target := root.follow(path)) is not None:  # noqa: PTH114
                assert target == str(real), path


def test_a_path_of_thousands_of_parts(tmp_path):
    path = str(tmp_path) + "/x" * 1_900
    assert Root(tmp_path).has(path) in (True, False)


def test_a_store_that_is_reached_by_a_link(tmp_path):
    (tmp_path / "real/in").mkdir(parents=True)
    (tmp_path / "real/in/file").touch()
    (tmp_path / "real/link").symlink_to(tmp_path / "real/in/file")
    (tmp_path / "store").symlink_to("real")
    root = Root(tmp_path / "store")
    assert root.has(str(tmp_path / "store/in/file"))
    assert root.has(str(tmp_path / "store/link"))
    assert root.has(str(tmp_path / "real/in/file"))
    assert not root.has(str(tmp_path / "other"))
