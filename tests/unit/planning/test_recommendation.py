"""Which model fits this machine best, and why the others don't."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from attrs import evolve

from uml_core.errors import BadRequestError, InvalidModelFileError
from uml_core.host.machine import machine_name
from uml_core.planning.recommendation import recommend
from uml_core.planning.threads import default_pair
from uml_core.types import HostInfo, LoadRequest, ModelSource, Profile, Rejected

HOST = HostInfo(
    platform="linux", physical_cores=3, logical_cores=3, memory_bytes=16 * 10**9, free_memory_bytes=8 * 10**9
)
GB = 10**9


@pytest.fixture
def disk(setup, backend, monkeypatch):
    """A planner whose models' cards are as a test says: the files themselves are tiny."""
    (setup.folder / "models/Tiny.gguf").unlink()
    monkeypatch.setattr("uml_core.planning.recommendation.probe_host", lambda **_: HOST)
    cards = {}

    class Disk:
        planner = setup.planner(backend("engine"), memory={"margin_mb": 0})

        def add(self, name, size_gb, *, source=None, **rest):
            path = setup.model(name)
            known = {"tasks": ("text-generation",), "has_chat_template": True, "parameters": int(size_gb * 2e9)}
            size = int(size_gb * GB)
            card = {**known, "bits_per_weight": 4.8, **rest}
            cards[name] = ModelSource(path=path, format="gguf", files=(path,), size_bytes=size, **card)
            return self

        def measured(self, name, speed):
            threads, spin = default_pair(HOST)
            self.planner.registry.records.put_profile(
                Profile(
                    model_id=name,
                    model_bytes=cards[name].size_bytes,
                    backend="engine",
                    engine="",
                    machine=machine_name(),
                    threads=threads,
                    spin=spin,
                    context_length=512,
                    decode_tokens_per_s=speed,
                    measured=datetime.now(UTC),
                )
            )
            return self

        def advice(self, task="chat", **rest):
            return recommend(self.planner, task=task, **rest)

    def read(model):
        found = cards[model.id]
        if isinstance(found, Exception):
            raise found
        return found

    disk = Disk()
    disk.cards = cards
    monkeypatch.setattr(disk.planner.registry, "card", read)
    monkeypatch.setattr(disk.planner.registry, "source", read)
    return disk


def ids(advice):
    return [one.model_id for one in advice]


def why_not(advice):
    return {one.model_id: one.reason for one in advice.left_out}


def test_the_most_capable_that_writes_as_fast_as_people_read(disk):
    disk.add("small", 0.5).add("middle", 1).add("large", 4).measured("middle", 20)
    small, middle, large = disk.advice()
    assert (middle.model_id, middle.decode_tokens_per_s, middle.measured) == ("small", pytest.approx(40), False)
    assert (small.model_id, small.decode_tokens_per_s, small.measured) == ("middle", 20, True)
    assert (large.model_id, large.decode_tokens_per_s, large.measured) == ("large", pytest.approx(5), False)
    assert small.reason == (
        "The most capable that writes as fast as you read: 2.0B parameters at 4.8 bits; 20 tokens/s, measured here; "
        "needs 1.2 GB of the 8.0 GB that can be used"
    )
    assert "40 tokens/s, estimated from 'middle'" in middle.reason
    assert large.reason.startswith(
        "It fits, but writes slower than you read: 8.0B parameters at 4.8 bits; 5.0 tokens/s"
    )


def test_without_a_measurement_the_cores_are_guessed_from(disk):
    first, second = disk.add("small", 0.5).add("large", 5).advice()
    assert (first.model_id, first.decode_tokens_per_s, first.measured) == ("small", None, False)
    assert "24 tokens/s, guessed from the cores, for nothing was measured here yet" in first.reason
    assert (second.model_id, second.backend) == ("large", "engine")


def test_a_larger_model_of_few_bits_comes_after_a_smaller_one_of_more(disk):
    disk.add("crushed", 4, parameters=14 * GB, bits_per_weight=2.3).add("fine", 4, parameters=7 * GB)
    assert ids(disk.measured("fine", 30).advice()) == ["fine", "crushed"]


def test_the_best_variant_of_each_model(disk):
    disk.add("model-Q4_K_M", 1).add("model-Q8_0", 2, parameters=2 * GB, bits_per_weight=8.5)
    advice = disk.measured("model-Q8_0", 30).advice()
    assert ids(advice) == ["model-Q8_0"]
    assert why_not(advice) == {"model-Q4_K_M": "is another variant of 'model-Q8_0', which does better here"}


def test_why_the_others_are_left_out(disk):
    disk.add("good", 1).add("huge", 9).add("base", 1, has_chat_template=False)
    disk.add("embedder", 0.1, tasks=("feature-extraction",)).add("projector", 1, kind="projector")
    disk.add("torn", 1, missing=("b.safetensors",)).add("pickled", 1, hazards=("pickle",)).add("broken", 1)
    disk.cards["broken"] = InvalidModelFileError("'broken' was cut off; download it again")
    advice = disk.advice()
    assert ids(advice) == ["good"]
    assert advice.budget_bytes == 8 * GB
    reasons = why_not(advice)
    assert reasons["huge"] == "needs 10.4 GB, and 8.0 GB can be used"
    assert reasons["base"] == "has no chat template: it goes on with a text, but was not made to answer"
    assert reasons["embedder"] == "is for feature-extraction, not for text-generation"
    assert reasons["projector"].startswith("'projector' is the projector of a model")
    assert reasons["torn"] == "'torn' is not complete: 'b.safetensors' is missing; download it again"
    assert reasons["pickled"].startswith("'pickled' is stored as pickles")
    assert reasons["broken"] == "can't be read: 'broken' was cut off; download it again"


def test_what_is_loaded_now_makes_room(disk):
    disk.add("huge", 9)
    assert ids(disk.advice(freed={"cpu": 4 * GB})) == ["huge"]
    assert disk.advice(freed={"cpu": 100 * GB}).budget_bytes == 16 * GB


def test_only_the_first_ones(disk):
    for size in range(1, 6):
        disk.add(f"m{size}", size / 10)
    advice = disk.advice(limit=2)
    assert ids(advice) == ["m5", "m4"]
    assert why_not(advice) == dict.fromkeys(["m1", "m2", "m3"], "would do, after 2 better ones")


def test_a_model_that_no_backend_loads(disk, setup, backend):
    disk.planner = evolve(
        disk.planner, plugins=setup.planner(backend("engine", Rejected("needs a GPU", hint="buy one"))).plugins
    )
    assert why_not(disk.add("good", 1).advice()) == {"good": "no installed backend can load 'good' (format 'gguf')"}


def test_tasks_that_only_the_backend_tells(disk):
    disk.add("untold", 1, tasks=())
    assert ids(disk.advice()) == ["untold"]
    assert why_not(disk.advice("embeddings")) == {"untold": "is for text-generation, not for feature-extraction"}


@pytest.mark.parametrize(
    ("task", "found"),
    [
        (None, ["writer", "embedder"]),
        ("embeddings", ["embedder"]),
        ("feature-extraction", ["embedder"]),
        ("text", ["writer"]),
        ("Chat", []),
    ],
)
def test_words_for_tasks(disk, task, found):
    disk.add("writer", 1, has_chat_template=False).add("embedder", 0.1, tasks=("feature-extraction",))
    assert ids(disk.advice(task)) == found


def test_a_model_that_writes_nothing_needs_no_speed(disk):
    (only,) = disk.add("embedder", 0.1, tasks=("feature-extraction",)).advice("embeddings")
    assert (
        only.reason
        == "The most capable that fits: 200M parameters at 4.8 bits; needs 134 MB of the 8.0 GB that can be used"
    )


def test_a_word_that_is_no_task(disk):
    with pytest.raises(BadRequestError, match=r"there is no task 'chatt' \(did you mean 'chat'\?\); say chat, text,"):
        disk.advice("chatt")


def test_a_real_disk(setup, backend):
    (only,) = recommend(setup.planner(backend("engine")), limit=3)
    assert (only.model_id, only.backend) == ("Tiny", "engine")
    assert setup.planner(backend("engine")).plan(LoadRequest(model="Tiny")).backend == only.backend
