"""Plans over HTTP, with a real supervisor and real workers: shown first, then loaded exactly so, or refused."""

from __future__ import annotations

import pytest

ALL = {"margin_mb": 2**40}
"""A margin that leaves no memory for anything."""


async def plan_of(house, model, **how):
    response = await house.http.post("/plan", json={"model": model, **how})
    assert response.status_code == 200, response.text
    return response.json()


async def active_in(house):
    return (await house.http.get("/active_model")).json()


async def test_a_plan_touches_nothing_and_is_loaded_as_it_was_shown(start_house):
    house = await start_house()
    plan = await plan_of(house, house.model("a"), context_length=777)
    assert (plan["model"], plan["backend"], plan["fits"], plan["context_length"]) == ("a", "fake", True, 777)
    (context,) = (one for one in plan["decisions"] if one["what"] == "context_length")
    assert (context["value"], context["pinned"]) == ("777", True)
    assert (await active_in(house))["model"] is None
    job = (await house.http.post("/load_model", json={**plan["load"], "wait": True})).json()
    assert (job["state"], job["context_length"], job["threads"]) == ("committed", 777, plan["threads"])
    assert job["memory"]["needs_bytes"] > 0
    again = await plan_of(house, "a", context_length=777)
    assert again["load"] == plan["load"]
    job = (await house.http.post("/load_model", json={**again["load"], "wait": True})).json()
    assert (job["state"], job["switched"]) == ("committed", False)


async def test_what_a_switch_would_free_counts_as_free(start_house):
    house = await start_house()
    await house.load(house.model("a"))
    (machine,) = (await plan_of(house, house.model("b")))["memory"]["devices"]
    assert (machine["device"], machine["freed_bytes"] > 0) == ("cpu", True)
    there = min(machine["free_bytes"] + machine["freed_bytes"], machine["total_bytes"])
    assert machine["budget_bytes"] == there - machine["margin_bytes"]


async def test_what_does_not_fit_is_told_and_then_refused(start_house):
    house = await start_house(memory=ALL)
    plan = await plan_of(house, house.model("a"))
    assert not plan["fits"]
    assert "'a' " in plan["problem"]
    response = await house.load("a")
    said = response.json()
    assert (response.status_code, said["error"]["code"]) == (507, "insufficient_memory")
    assert response.headers["x-should-retry"] == "false"
    assert said["job"]["cause"]["memory"]["fits"] is False
    assert (await active_in(house))["model"] is None


async def test_what_is_loaded_stays_when_the_next_does_not_fit(start_house):
    house = await start_house(memory=ALL)
    assert (await house.load(house.model("a"), force=True)).status_code == 200
    pid = (await active_in(house))["pid"]
    assert (await house.load(house.model("b"))).status_code == 507
    active = await active_in(house)
    assert (active["model"], active["pid"]) == ("a", pid)
    assert active["memory"]["forced"]


async def test_a_forced_plan_states_the_risk(start_house):
    house = await start_house(memory=ALL)
    plan = await plan_of(house, house.model("a"), force=True)
    assert (plan["fits"], plan["forced"], plan["load"]["force"]) == (False, True, True)
    (risk,) = (one for one in plan["decisions"] if one["what"] == "force")
    assert "machine" in risk["reason"]


async def test_what_is_loaded_has_what_it_was_to_take_and_what_it_took(start_house, until):
    house = await start_house()
    await house.load(house.model("a"))
    await until(lambda: bool(house.supervisor.active().measured))
    memory = (await active_in(house))["memory"]
    assert memory["measured_bytes"] == sum(one["measured_bytes"] or 0 for one in memory["parts"]) > 0
    assert memory["needs_bytes"] == sum(one["size_bytes"] or 0 for one in memory["parts"])
    assert {"device", "kind", "size_bytes", "low_bytes", "high_bytes", "source", "measured_bytes"} == {
        name for one in memory["parts"] for name in one
    }


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"model": "nonesuch"}, 404, "model_not_found"),
        ({"model": "/etc/passwd"}, 400, "invalid_request"),
        ({"model": "a", "backend": "nonesuch"}, 400, "unknown_backend"),
        ({"model": "a", "options": {"nonesuch": 1}}, 400, "invalid_options"),
        ({"model": "a", "wait": True}, 400, "invalid_request"),
        ({"model": "a", "device": "toaster"}, 400, "invalid_request"),
        ({"model": "a", "device": "cuda:"}, 400, "invalid_request"),
        ({"model": "a", "cache_type": "../x"}, 400, "invalid_request"),
        ({"model": "a", "context_length": 0}, 400, "invalid_request"),
        ({}, 400, "invalid_request"),
    ],
)
async def test_what_can_not_be_planned_is_an_error(start_house, body, status, code):
    house = await start_house()
    house.model("a")
    response = await house.http.post("/plan", json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


async def test_only_a_post_plans(start_house):
    house = await start_house()
    assert (await house.http.get("/plan")).status_code == 405
    schema = (await house.http.get("/openapi.json")).json()
    assert "PlanRequest" in schema["components"]["schemas"]
