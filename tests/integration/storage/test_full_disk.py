"""A full disk costs rows, never an answer; and it is over when there is room again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FILLING = Path(__file__).with_name("filling.py")
OWN_MOUNTS = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]


def filled(folder, way, *, inside=()):
    ran = subprocess.run(
        [*inside, sys.executable, FILLING, folder, way], capture_output=True, text=True, check=False, timeout=100
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


def check(seen):
    assert seen["degraded"].startswith("the database '")
    assert "models are served as before" in seen["degraded"]
    assert seen["events"] == ["degraded", "recovered"]
    assert seen["dropped"] == seen["dropped_meanwhile"] > 500
    assert seen["kept"] + seen["dropped"] == 12_110
    assert seen["newest_kept"]
    assert seen["longest_s"] < 1.0
    assert seen["left"] == ["journal", "uml.db"]


def test_a_full_file_system(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mount = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
    try:
        tried = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        pytest.skip(f"no unshare here: {error}")
    if tried.returncode != 0:
        pytest.skip(f"this machine lets nobody mount a small file system: {tried.stderr.strip()}")
    seen = filled(folder, "tmpfs", inside=OWN_MOUNTS)
    check(seen)
    assert "free some space on that disk" in seen["degraded"]
    assert seen["read_meanwhile"] >= 100  # a full disk can be read


def test_files_that_may_not_grow(tmp_path):
    check(filled(tmp_path / "limited", "limit"))
