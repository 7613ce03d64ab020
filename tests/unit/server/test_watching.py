"""Folders that are watched: each change is a scan, and the end is never waited for."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading

import pytest

from uml_core.registry.scan import ScanReport
from uml_core.server.scans import Scans
from uml_core.server.watching import MISSING, Eagerness, Watching
from uml_core.supervisor.events import Events

EAGER = Eagerness(quiet_s=0.01, longest_s=0.1, look_s=0.05, poll_s=0.02, rest=0.0)


class Registry:
    """Counts its scans; each waits until it may go on."""

    def __init__(self):
        self.scans = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def scan(self, progress, *, stopped):
        self.scans += 1
        assert self.may_go_on.wait(20)
        return ScanReport()


@pytest.fixture
def registry():
    registry = Registry()
    yield registry
    registry.may_go_on.set()


@pytest.fixture
async def scans(registry):
    scans = Scans(registry, Events())
    yield scans
    scans.close()


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def settled(registry):
    """Wait until nothing is scanned any more; how often something was."""
    seen = -1
    while seen != registry.scans:
        seen = registry.scans
        await asyncio.sleep(0.2)
    return seen


@pytest.fixture
def watchfiles():
    return pytest.importorskip("watchfiles")


@pytest.mark.usefixtures("watchfiles")
async def test_the_begin_and_each_change_is_a_scan(registry, scans, tmp_path):
    with Watching(lambda: [tmp_path], scans, eagerness=EAGER):
        await until(lambda: registry.scans == 1)
        deep = tmp_path / "org" / "name"
        for change in (lambda: deep.mkdir(parents=True), (deep / "a").touch, (deep / "a").unlink):
            before = await settled(registry)
            change()
            await until(lambda before=before: registry.scans > before)
    before = await settled(registry)
    (tmp_path / "b").touch()
    assert await settled(registry) == before, "it is over"


@pytest.mark.usefixtures("watchfiles")
async def test_a_change_during_a_scan_is_scanned_after_it(registry, scans, tmp_path):
    with Watching(lambda: [tmp_path], scans, eagerness=EAGER) as watching:
        await until(lambda: registry.scans == 1)
        before = await settled(registry)
        told, tell = threading.Event(), watching._tell
        watching._tell = lambda: (tell(), told.set())
        registry.may_go_on.clear()
        scans.begin("somebody asked")
        (tmp_path / "a").touch()
        await until(told.is_set)
        await asyncio.sleep(0.01)
        assert registry.scans == before + 1
        registry.may_go_on.set()
        await until(lambda: registry.scans >= before + 2)


@pytest.mark.usefixtures("watchfiles")
async def test_folders_may_come_go_and_be_replaced(registry, scans, tmp_path):
    folder = tmp_path / "later"
    with Watching(lambda: [folder], scans, eagerness=EAGER):
        await until(lambda: registry.scans == 1)
        for _ in range(2):
            before = await settled(registry)
            folder.mkdir()
            await until(lambda before=before: registry.scans > before)
            before = await settled(registry)
            (folder / "a").touch()
            await until(lambda before=before: registry.scans > before)
            before = await settled(registry)
            (folder / "a").unlink()
            folder.rmdir()
            await until(lambda before=before: registry.scans > before)


async def test_where_the_system_does_not_help_folders_are_walked_through(
    registry, scans, tmp_path, monkeypatch, caplog, watchfiles
):
    real, asked = watchfiles.watch, []

    def watch(*folders, **how):
        asked.append(how["force_polling"])
        if not how["force_polling"]:
            raise OSError("OS file watch limit reached")
        return real(*folders, **how)

    monkeypatch.setattr(watchfiles, "watch", watch)
    with Watching(lambda: [tmp_path], scans, eagerness=EAGER):
        await until(lambda: registry.scans >= 1)
        before = await settled(registry)
        (tmp_path / "a").write_text("a")
        await until(lambda: registry.scans > before)
    assert asked[:2] == [None, True]
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "limit reached" in said
    assert "max_user_watches" in said


async def test_without_the_package_there_is_one_sentence_with_the_way_out(
    registry, scans, tmp_path, monkeypatch, caplog
):
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with Watching(lambda: [tmp_path], scans, eagerness=EAGER):
        await until(lambda: caplog.messages)
        assert caplog.messages == [MISSING]
    assert "pip install 'uml-core[watch]'" in MISSING
    assert registry.scans == 0


@pytest.mark.usefixtures("watchfiles")
async def test_the_end_of_the_scans_is_the_end_of_the_watching(registry, scans, tmp_path):
    with Watching(lambda: [tmp_path], scans, eagerness=EAGER) as watching:
        await until(lambda: registry.scans == 1)
        await settled(registry)
        scans.close()
        (tmp_path / "a").touch()
        await until(watching._task.done)
        assert watching._task.exception() is None
