"""A scan of the models is a job: real files, a real thread, real event streams."""

from __future__ import annotations

import asyncio
import json
import threading

import httpx
import pytest

from uml_core import API_VERSION, hookimpl
from uml_core.errors import InvalidModelFileError
from uml_core.server.pace import Pace
from uml_core.types import LoadRequest, ModelStore


class Gate:
    """A store that has nothing, and says so only once it may: so a scan takes as long as a test wants."""

    uml_api_version = API_VERSION

    def __init__(self) -> None:
        self.opens = threading.Event()
        self.waiting = threading.Event()

    @hookimpl
    def uml_model_stores(self):
        yield ModelStore(name="gate", list=self.list)

    def list(self):
        self.waiting.set()
        assert self.opens.wait(30)
        return ()


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.opens.set()


@pytest.fixture
def events():
    """All events of a stream until one of them ends it."""

    async def read(gateway, path, *, until, began=None):
        found = []
        async with gateway.http.stream("GET", path, timeout=httpx.Timeout(20)) as stream:
            assert stream.status_code == 200
            if began is not None:
                began.set()
            kind = None
            async for line in stream.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data":
                    found.append((kind, json.loads(value)))
                    if until(*found[-1]):
                        break
        return found

    return read


async def scanned(gateway, **asked):
    return await gateway.http.post("/models/scan", json={"wait": True, **asked})


async def test_a_scan_is_a_job_with_a_report(start_gateway, until):
    gateway = await start_gateway()
    response = await gateway.http.post("/models/scan", json={})
    job = response.json()
    assert (response.status_code, response.headers["location"]) == (202, f"/jobs/{job['id']}")
    assert (job["kind"], job["state"], job["finished"], job["report"]) == ("scan", "scanning", None, None)
    assert set(job["progress"]) == {"stage", "part", "done", "total", "model", "elapsed_s", "eta_s"}
    await until(lambda: gateway.scans.running is None)
    ended = (await gateway.http.get(f"/jobs/{job['id']}")).json()
    assert (ended["state"], ended["progress"]) == ("committed", None)
    first = ended["report"]
    assert (first["models"], first["read"], first["unreadable"], first["problems"]) == (3, 3, 1, [])
    again = (await scanned(gateway)).json()["report"]
    assert (again["read"], again["unchanged"], again["gone"]) == (0, 3, 0)
    gateway.registry.write("new")
    (gateway.registry.folder / "other.gguf").unlink()
    third = (await scanned(gateway)).json()["report"]
    assert (third["models"], third["read"], third["unchanged"], third["gone"]) == (3, 1, 2, 1)


async def test_scans_stand_among_the_jobs(start_gateway, gate, until):
    gateway = await start_gateway(extra=gate)
    await gateway.supervisor.wait((await gateway.supervisor.submit(LoadRequest(model="other"))).id)
    job = (await gateway.http.post("/models/scan", json={})).json()
    listed = (await gateway.http.get("/jobs")).json()["data"]
    assert [one["kind"] for one in listed] == ["scan", "load"]
    gate.opens.set()
    await until(lambda: gateway.scans.running is None)
    await gateway.http.post("/unload_model", json={})
    listed = (await gateway.http.get("/jobs")).json()["data"]
    assert [one["kind"] for one in listed] == ["unload", "scan", "load"]
    assert listed[1]["id"] == job["id"]


async def test_it_is_told_as_it_goes(start_gateway, events, gate):
    gateway = await start_gateway(extra=gate)
    for number in range(20):
        gateway.registry.write(f"m{number:02}")
    began = asyncio.Event()
    ends = lambda kind, data: kind == "scan" and data["finished"]  # noqa: E731
    everything = asyncio.create_task(events(gateway, "/events", until=ends, began=began))
    await began.wait()
    job = (await gateway.http.post("/models/scan", json={})).json()
    own = asyncio.create_task(events(gateway, f"/jobs/{job['id']}/events", until=lambda *_: False))
    await asyncio.to_thread(gate.waiting.wait, 10)
    gate.opens.set()
    told = [data for kind, data in await everything if kind == "scan"]
    assert (told[0]["state"], told[-1]["state"]) == ("scanning", "committed")
    assert told[-1]["report"]["models"] == 23
    followed = await own
    assert {kind for kind, _ in followed} == {"scan"}
    assert followed[-1][1] == told[-1]
    (after,) = await events(gateway, f"/jobs/{job['id']}/events", until=lambda *_: False)
    assert after == ("scan", told[-1])


async def test_progress_is_told_ten_times_a_second_at_most(start_gateway, monkeypatch):
    gateway = await start_gateway()
    told = []
    publish = gateway.supervisor.events.publish
    monkeypatch.setattr(
        gateway.supervisor.events, "publish", lambda kind, data: (told.append(data), publish(kind, data))
    )
    for number in range(300):
        gateway.registry.write(f"m{number:03}")
    job = (await scanned(gateway)).json()
    assert len(told) <= job["seconds"] * 10 + 2
    done = [data["progress"]["done"] for data in told if data["progress"]]
    assert done == sorted(done)


async def test_a_second_one_joins_and_who_leaves_ends_nothing(start_gateway, gate, until):
    gateway = await start_gateway(extra=gate)
    waiting = asyncio.create_task(scanned(gateway))
    await asyncio.to_thread(gate.waiting.wait, 10)
    job = (await gateway.http.post("/models/scan", json={})).json()
    late = (await scanned(gateway, timeout_s=0.01)).json()
    assert (late["id"], late["state"]) == (job["id"], "scanning")
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await until(lambda: gateway.in_flight.count == 0)
    gate.opens.set()
    await until(lambda: gateway.scans.running is None)
    (ended,) = (await gateway.http.get("/jobs")).json()["data"]
    assert (ended["id"], ended["state"]) == (job["id"], "committed")


async def test_the_same_key_is_the_same_scan(start_gateway):
    gateway = await start_gateway()
    headers = {"Idempotency-Key": "k"}
    jobs = [(await gateway.http.post("/models/scan", json={"wait": True}, headers=headers)).json() for _ in range(3)]
    assert len({job["id"] for job in jobs}) == 1
    assert (await scanned(gateway)).json()["id"] != jobs[0]["id"]
    other = await gateway.http.post("/load_model", json={"model": "other"}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_conflict")


async def test_cancelling_is_for_all_and_what_was_read_is_kept(start_gateway, gate, until):
    gateway = await start_gateway(extra=gate)
    waiting = asyncio.create_task(scanned(gateway))
    await asyncio.to_thread(gate.waiting.wait, 10)
    job = (await gateway.http.get("/jobs")).json()["data"][0]
    cancelling = asyncio.create_task(gateway.http.delete(f"/jobs/{job['id']}"))
    await until(lambda: gateway.scans.all[0].cancelled)
    gate.opens.set()
    cancelled = (await cancelling).json()
    assert (cancelled["state"], cancelled["cause"]["code"]) == ("cancelled", "cancelled")
    refused = await waiting
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "cancelled")
    assert refused.json()["job"]["id"] == job["id"]
    again = await gateway.http.delete(f"/jobs/{job['id']}")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")


async def test_a_disk_that_hangs_holds_up_neither_the_cancel_nor_the_next_scan(start_gateway, gate, until, monkeypatch):
    monkeypatch.setattr("uml_core.server.scans.LAST_MODEL_S", 0.01)
    gateway = await start_gateway(extra=gate)
    job = (await gateway.http.post("/models/scan", json={})).json()
    assert (await gateway.http.delete(f"/jobs/{job['id']}")).json()["state"] == "cancelled"
    other = (await gateway.http.post("/models/scan", json={})).json()
    assert other["id"] != job["id"]
    gate.opens.set()
    await until(lambda: gateway.scans.running is None)
    assert (await gateway.http.get(f"/jobs/{other['id']}")).json()["state"] == "committed"
    assert (await gateway.http.get(f"/jobs/{job['id']}")).json()["state"] == "cancelled", "its thread changes nothing"


async def test_the_end_of_the_gateway_ends_it_at_once(start_gateway, gate):
    gateway = await start_gateway(extra=gate)
    waiting = asyncio.create_task(scanned(gateway))
    await asyncio.to_thread(gate.waiting.wait, 10)
    gateway.scans.close()
    async with asyncio.timeout(5):
        assert (await waiting).json()["error"]["code"] == "server_shutdown"
    assert (await scanned(gateway)).json()["error"]["code"] == "server_shutdown"


async def test_one_that_fails_says_so_and_the_next_may_do(start_gateway, monkeypatch):
    gateway = await start_gateway()
    for error, code in ((RuntimeError("secret"), "internal_error"), (InvalidModelFileError("m"), "invalid_model_file")):

        def fail(*_, error=error, **__):
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(gateway.registry, "scan", fail)
            response = await scanned(gateway)
        assert (response.json()["error"]["code"], response.json()["job"]["state"]) == (code, "failed")
        assert "secret" not in response.text
    assert (await scanned(gateway)).json()["state"] == "committed"


async def test_a_list_of_a_cold_disk_does_not_wait_for_it(start_gateway, until):
    gateway = await start_gateway(pace=Pace(listing_s=0))
    cards = (await gateway.http.get("/models")).json()["data"]
    assert [(card["id"], card.get("pending"), card["format"]) for card in cards] == [
        ("broken", True, None),
        ("org/model", True, None),
        ("other", True, None),
    ]
    (job,) = gateway.scans.all
    assert "not read yet" in job.reason
    await until(lambda: job.ended)
    cards = (await gateway.http.get("/models")).json()["data"]
    assert [(card["id"], "pending" in card, "error" in card) for card in cards] == [
        ("broken", False, True),
        ("org/model", False, False),
        ("other", False, False),
    ]
    gateway.registry.write("new")
    await asyncio.sleep(0)
    assert (await gateway.http.get("/models/new")).json()["architecture"] == "llama", "one by itself is read at once"
    assert gateway.scans.all == [job], "a list has nothing scanned again so soon"


async def test_what_was_not_read_yet_is_not_offered(start_gateway):
    gateway = await start_gateway(pace=Pace(listing_s=0))
    gateway.scans.close()
    assert (await gateway.http.get("/v1/models")).json()["data"] == []
    assert len((await gateway.http.get("/models")).json()["data"]) == 3


async def test_what_a_scan_finds_is_listed_at_once(start_gateway):
    gateway = await start_gateway()
    await gateway.http.get("/models")
    gateway.registry.write("new")
    await scanned(gateway)
    assert "new" in {card["id"] for card in (await gateway.http.get("/models")).json()["data"]}


@pytest.mark.parametrize("body", [{"wait": "perhaps"}, {"folder": "/etc"}, {"timeout_s": 0}, []])
async def test_a_scan_takes_no_orders(start_gateway, body):
    gateway = await start_gateway()
    response = await gateway.http.post("/models/scan", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")
    assert gateway.scans.all == []


async def test_only_the_last_scans_are_remembered(start_gateway):
    gateway = await start_gateway()
    ids = [(await scanned(gateway)).json()["id"] for _ in range(23)]
    listed = [job["id"] for job in (await gateway.http.get("/jobs")).json()["data"]]
    assert listed == ids[:2:-1]
    assert (await gateway.http.get(f"/jobs/{ids[0]}")).status_code == 404
