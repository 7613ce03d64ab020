import json
import os
import subprocess
import sys

import psutil
import pytest

from uml_core.client import UniversalClient, find_gateway
from uml_core.errors import UnavailableError


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("UML_DATA_DIR", str(tmp_path))
    (tmp_path / "run").mkdir()
    return tmp_path / "run" / "gateway.json"


def write(file, **said):
    mine = {"url": "http://127.0.0.1:1", "pid": os.getpid(), "started": psutil.Process().create_time(), "version": "0"}
    file.write_text(json.dumps({**mine, **said}))


def test_a_live_gateway_is_found(file):
    write(file)
    found = find_gateway(file)
    assert found is not None
    assert (found.url, found.pid) == ("http://127.0.0.1:1", os.getpid())
    assert UniversalClient().base_url == "http://127.0.0.1:1"


def test_a_dead_one_is_not(file):
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    write(file, pid=child.pid)
    assert find_gateway(file) is None


def test_another_process_with_its_number_is_not(file):
    write(file, started=psutil.Process().create_time() - 100)
    assert find_gateway(file) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"url": 1}'])
def test_a_broken_file_is_no_gateway(file, text):
    file.write_text(text)
    assert find_gateway(file) is None


def test_without_one_the_client_says_how_to_start_one(file):
    with pytest.raises(UnavailableError, match="uml serve"):
        UniversalClient()
