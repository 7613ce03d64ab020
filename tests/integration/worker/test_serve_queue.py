"""One engine, many clients: the order, those who leave, and those who don't read."""

from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.fixture
def worker(start):
    return start().wait_ready()


def begun(worker):
    return [line.split()[1:] for line in worker.log.splitlines() if line.startswith("begin")]


def queued(worker):
    return worker.health().json()["queued"]


def test_first_come_first_served(worker, tmp_path):
    gate = tmp_path / "gate"
    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(worker.post, f"think {gate}")
        worker.until(lambda: begun(worker))
        rest = []
        for number in range(4):
            rest.append(pool.submit(worker.post, f"count {number + 1}"))
            worker.until(lambda: queued(worker) == len(rest))
        gate.touch()
        assert [answer.result().status_code for answer in (first, *rest)] == [200] * 5
    assert begun(worker)[1:] == [["count", str(number + 1)] for number in range(4)]


def test_who_leaves_while_queued_leaves_the_queue(worker, tmp_path):
    gate = tmp_path / "gate"
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(worker.post, f"think {gate}")
        worker.until(lambda: begun(worker))
        with worker.leaving("count 1"):
            worker.until(lambda: queued(worker) == 1)
        worker.until(lambda: queued(worker) == 0)
        gate.touch()
        assert first.result().status_code == 200
    worker.post("say done")
    assert [order for order, *_ in begun(worker)] == ["think", "say"]


def test_who_leaves_while_it_runs_stops_the_engine(worker):
    with worker.streaming("endless") as response:
        for line, _ in zip(response.iter_lines(), range(8), strict=False):
            assert line == "" or line.startswith("data: ")
    worker.until(lambda: "end endless  after" in worker.log)
    still = worker.health().json()["activity"]
    assert worker.post("say next").status_code == 200
    assert worker.health().json()["activity"] <= still + 2


def test_who_leaves_without_a_stream_stops_the_engine_too(worker):
    with worker.leaving("endless"):
        worker.until(lambda: begun(worker))
    worker.until(lambda: "end endless  after" in worker.log)


def test_an_engine_may_ask_within_a_long_step(worker):
    with worker.leaving("ponder"):
        worker.until(lambda: begun(worker))
    worker.until(lambda: "noticed" in worker.log)
    assert worker.post("say next").status_code == 200


def test_a_reader_that_is_slow_holds_the_engine_back(worker):
    def stands():
        before = worker.health().json()["activity"]
        return all(worker.health().json()["activity"] == before for _ in range(50))

    with worker.streaming("flood") as response:
        next(response.iter_raw(1024))
        worker.until(stands)
        pieces = worker.health().json()["activity"]
    # 32 waiting, 32 in hand, and what server and kernel buffer on loopback: a few MB in pieces of 16 KiB
    assert 32 <= pieces <= 64 + 1000
    worker.until(lambda: "end flood" in worker.log)
