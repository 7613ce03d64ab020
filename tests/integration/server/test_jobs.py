"""Jobs and the queue, as they are looked at and called off."""

from __future__ import annotations

import asyncio

from uml_core.supervisor.messages import Waiting


async def test_jobs_are_listed_and_described(start_gateway):
    gateway = await start_gateway()
    assert (await gateway.http.get("/jobs")).json() == {"object": "list", "data": []}
    await gateway.http.post("/load_model", json={"model": "other", "wait": True})
    gateway.supervisor.loading = asyncio.Event()
    await gateway.http.post("/unload_model", json={"wait": False})
    listed = (await gateway.http.get("/jobs")).json()["data"]
    assert [(job["id"], job["kind"], job["state"]) for job in listed] == [
        ("job_2", "unload", "starting"),
        ("job_1", "load", "committed"),
    ]
    assert (await gateway.http.get("/jobs/job_1")).json() == listed[1]


async def test_a_job_nobody_knows(start_gateway):
    gateway = await start_gateway()
    for response in (
        await gateway.http.get("/jobs/job_9"),
        await gateway.http.delete("/jobs/job_9"),
        await gateway.http.get("/jobs/job_9/events"),
    ):
        assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


async def test_cancelling_is_for_all_who_wait(start_gateway, until):
    gateway = await start_gateway(loading=asyncio.Event())
    loads = [
        asyncio.create_task(gateway.http.post("/load_model", json={"model": "other", "wait": True})) for _ in range(2)
    ]
    await until(lambda: gateway.supervisor.submitted == 2)
    cancelled = await gateway.http.delete("/jobs/job_1")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    for load in loads:
        assert ((await load).status_code, (await load).json()["error"]["code"]) == (503, "cancelled")
    again = await gateway.http.delete("/jobs/job_1")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")


async def test_a_page_of_another_site_cancels_nothing(start_gateway):
    gateway = await start_gateway(loading=asyncio.Event())
    await gateway.http.post("/load_model", json={"model": "other"})
    for headers in ({"Origin": "https://evil.com"}, {"Sec-Fetch-Site": "cross-site"}):
        response = await gateway.http.delete("/jobs/job_1", headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (403, "forbidden")
    assert not gateway.supervisor.job("job_1").ended


async def test_the_queue(start_gateway):
    gateway = await start_gateway()
    assert (await gateway.http.get("/queue")).json() == {"length": 0, "limit": 512, "requests": []}
    gateway.supervisor.queue.append(
        Waiting(id="req_1", model="other", task="text-generation", position=1, waited_s=1.23456)
    )
    assert (await gateway.http.get("/queue")).json() == {
        "length": 1,
        "limit": 512,
        "requests": [{"id": "req_1", "model": "other", "position": 1, "waited_s": 1.235}],
    }
