"""`docs/reliability.md` names the tests that prove each promise: they have to be there."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "reliability.md"


def test_every_test_that_it_names_exists():
    file, named = None, 0
    for path, test in re.findall(
        r"`((?:e2e|integration|unit)/[\w/]+(?:\.py)?/?)?(?:::(test_\w+))?`", DOCUMENT.read_text()
    ):
        file = TESTS / path if path else file
        if not path and not test:
            continue
        named += 1
        assert file is not None
        assert file.exists(), f"{path} is named, but there is no such thing"
        if test:
            assert re.search(rf"^(async )?def {test}\(", file.read_text(), re.MULTILINE), (
                f"{test} is not in {file.name}"
            )
    assert named > 20
