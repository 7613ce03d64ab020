"""The gateway as a process of its own: start, second start, shutdown."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from uml_core.client.gateway import find_gateway
from uml_core.errors import GatewayRunningError, PortInUseError, SettingsError
from uml_core.server.gateway import announced, hold
from uml_core.server.run import refuse_strangers
from uml_core.supervisor.endpoint import gateway_listener

SERVE = """
import sys
from pathlib import Path
from uml_core.server.run import run
from uml_core.settings import Settings
settings = Settings(data_dir=Path(sys.argv[1]), server={"port": int(sys.argv[2])})
run(settings, on_ready=lambda gateway: print(gateway.url, flush=True))
"""


@contextlib.contextmanager
def served(folder: Path, port: int = 0):
    """A gateway process, once it says its URL; killed at the end if it is still there."""
    environment = {**os.environ, "UML_CONFIG": str(folder / "none.toml")}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(folder), str(port)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_start_serve_and_stop(tmp_path):
    with served(tmp_path) as (process, url):
        assert httpx.get(f"{url}/readyz").json()["status"] == "ok"
        file = tmp_path / "run" / "gateway.json"
        said = json.loads(file.read_text())
        assert (said["url"], said["pid"]) == (url, process.pid)
        assert abs(said["started"] - psutil.Process(process.pid).create_time()) < 0.01
        assert file.stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
        assert find_gateway(file).pid == process.pid

        second = subprocess.run(
            [sys.executable, "-c", SERVE, str(tmp_path), "0"], capture_output=True, text=True, check=False, timeout=60
        )
        assert second.returncode != 0
        assert f"at {url} (pid {process.pid})" in second.stderr

        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=20)
        assert process.returncode == 0
        assert not file.exists()
        line = json.loads(log.splitlines()[0])
        assert (line["path"], line["status"], line["level"]) == ("/readyz", 200, "info")
    with hold(tmp_path / "run"):
        pass


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM, signal.SIGTERM, signal.SIGTERM]])
def test_ends_by_signals_although_a_client_stays_connected(tmp_path, signals):
    with served(tmp_path) as (process, url), httpx.Client() as client:
        client.get(f"{url}/livez")
        begin = time.monotonic()
        for number in signals:
            process.send_signal(number)
        process.communicate(timeout=20)
        assert process.returncode == 0
        assert time.monotonic() - begin < 10


def test_a_killed_gateway_leaves_nothing_in_the_way(tmp_path):
    with served(tmp_path) as (process, _):
        process.kill()
        process.communicate(timeout=20)
    assert (tmp_path / "run" / "gateway.json").exists()
    assert find_gateway(tmp_path / "run" / "gateway.json") is None
    with served(tmp_path) as (_, url):
        assert httpx.get(f"{url}/livez").status_code == 200


def test_a_taken_port_names_its_holder(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"port {port} .*pid {os.getpid()}"):
            gateway_listener("127.0.0.1", port)


def test_the_lock_names_who_holds_it(tmp_path):
    with hold(tmp_path / "run"):
        with pytest.raises(GatewayRunningError, match=rf"another `uml` \(pid {os.getpid()}\)"), hold(tmp_path / "run"):
            pass
        with announced(tmp_path / "run", "http://127.0.0.1:1") as gateway:
            assert gateway.pid == os.getpid()
            with pytest.raises(GatewayRunningError, match=r"http://127\.0\.0\.1:1"), hold(tmp_path / "run"):
                pass
    with hold(tmp_path / "run"):
        pass


def test_children_do_not_keep_the_lock(tmp_path):
    with hold(tmp_path / "run"):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        with hold(tmp_path / "run"):
            pass
    finally:
        child.kill()
        child.wait()


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    program = (
        "import sys,time; from pathlib import Path; from uml_core.server.gateway import hold\n"
        "with hold(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(GatewayRunningError, match=f"pid {process.pid}"), hold(tmp_path / "run"):
            pass
        process.kill()
    with hold(tmp_path / "run"):
        pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "255.255.255.255"])
def test_addresses_that_strangers_reach_are_refused(host):
    with pytest.raises(SettingsError, match="no auth scheme is installed"):
        refuse_strangers(host)


@pytest.mark.parametrize("host", ["x" * 64, "", "127.0.0.1:80", "[::1]"])
def test_names_that_are_none_are_refused(host):
    with pytest.raises(SettingsError, match="no address of this machine"):
        refuse_strangers(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_addresses_are_taken(host):
    refuse_strangers(host)


def test_standard_error_that_nobody_reads_holds_nothing_up(tmp_path):
    with served(tmp_path) as (process, url), httpx.Client(base_url=url, timeout=10) as client:
        for _ in range(600):  # some 100 KiB of lines; a pipe holds 64
            assert client.get("/livez").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        kept = (tmp_path / "logs" / "gateway.log").read_text()
        assert kept.count('"path":"/livez"') == 600, "the file has every line"


def test_a_reader_of_standard_error_that_leaves_is_no_fault(tmp_path):
    with served(tmp_path) as (process, url):
        process.stderr.close()
        for _ in range(3):
            assert httpx.get(f"{url}/livez").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert "Traceback" not in (tmp_path / "logs" / "gateway.log").read_text()
