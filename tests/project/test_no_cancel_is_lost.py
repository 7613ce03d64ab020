"""Python 3.11 loses a cancel that comes while `asyncio.wait_for` gets its answer; `asyncio.timeout` loses none."""

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_nobody_waits_with_wait_for():
    sources = [*(ROOT / "uml-core" / "src").rglob("*.py"), *(ROOT / "plugins").glob("*/src/**/*.py")]
    assert sources
    assert [path for path in sources if "asyncio.wait_for(" in path.read_text("utf-8")] == []
