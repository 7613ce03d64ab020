"""A model of several variants is one model: named without one, it is the one that suits."""

from __future__ import annotations

import pytest
from attrs import evolve

from uml_core.errors import ModelNotFoundError
from uml_core.host import probe_host
from uml_core.testing.gguf import write_gguf
from uml_core.types import ModelFolder, ModelStore, StoredModel

GB = 10**9


@pytest.fixture
def stored(tmp_path):
    """A model of a store that need not be there."""

    def make(id, *, variant=None, size_bytes=1, store="usb", **rest):
        name = id.rpartition(":")[0] if variant else ""
        path = tmp_path / id.replace("/", "-").replace(":", "-")
        return StoredModel(id=id, name=name, variant=variant, path=path, size_bytes=size_bytes, store=store, **rest)

    return make


@pytest.fixture
def registry_with(registry):
    return lambda *models: registry(ModelStore(name="usb", list=lambda: models))


@pytest.fixture
def memory(monkeypatch):
    """This machine's memory, as far as the choice of a variant asks."""

    def have(total_bytes):
        host = evolve(probe_host(), memory_bytes=total_bytes)
        monkeypatch.setattr("uml_core.registry.registry.probe_host", lambda **_: host)

    return have


@pytest.mark.parametrize(
    ("total_bytes", "variant"), [(100 * GB, "F16"), (16 * GB, "Q8_0"), (6 * GB, "Q4_K_M"), (1 * GB, "Q4_K_M")]
)
def test_the_largest_that_fits_well_else_the_smallest(stored, registry_with, memory, total_bytes, variant):
    memory(total_bytes)
    found = registry_with(
        stored("org/Sky-7B:Q4_K_M", variant="Q4_K_M", size_bytes=4 * GB),
        stored("org/Sky-7B:Q8_0", variant="Q8_0", size_bytes=8 * GB),
        stored("org/Sky-7B:F16", variant="F16", size_bytes=15 * GB),
    )
    for ref in ("org/Sky-7B", "sky-7b", "ORG/sky", "sky"):
        assert found.find(ref).variant == variant


def test_ollamas_latest_is_what_its_bare_name_means(stored, registry_with):
    found = registry_with(
        stored("llama3.2:latest", variant="latest", size_bytes=2), stored("llama3.2:1b", variant="1b", size_bytes=3)
    )
    assert found.find("llama3.2").id == "llama3.2:latest"
    assert found.find("llama").id == "llama3.2:latest"
    assert found.find("LLAMA3.2:1B").id == "llama3.2:1b"
    assert [one.id for one in found.variants("llama3.2")] == ["llama3.2:latest"]
    assert [one.id for one in found.variants("llama3.2:1b")] == ["llama3.2:1b"]


def test_a_part_of_a_variant_that_fits_several_names_them(stored, registry_with):
    found = registry_with(stored("sky:Q4_K_M", variant="Q4_K_M"), stored("sky:Q4_0", variant="Q4_0"))
    with pytest.raises(
        ModelNotFoundError, match="'sky:q4' could be 'sky:Q4_0' or 'sky:Q4_K_M'; write more of the name"
    ):
        found.find("sky:q4")


def test_two_models_whose_names_begin_alike_are_not_variants_of_one(stored, registry_with):
    found = registry_with(
        stored("org/Sky-7B:Q4_0", variant="Q4_0"), stored("org/Sky-7B:F16", variant="F16"), stored("org/Sky-13B")
    )
    with pytest.raises(ModelNotFoundError, match="could be 'org/Sky-13B', 'org/Sky-7B:F16' or 'org/Sky-7B:Q4_0'"):
        found.find("org/sky")


def test_the_whole_model_wins_over_its_quantizations_where_it_is_named_exactly(stored, registry_with):
    found = registry_with(stored("org/Sky"), stored("org/Sky:Q4_0", variant="Q4_0", size_bytes=9))
    assert found.find("org/Sky").id == "org/Sky"
    assert found.find("ORG/SKY").id == "org/Sky"
    assert found.find("org/sky:q4_0").id == "org/Sky:Q4_0"


def test_an_alias_of_the_database_and_one_of_the_file_that_wins(stored, registry, registry_with):
    found = registry_with(stored("org/Sky"), stored("org/Moon"))
    found.records.set_alias("night", "org/Sky")
    assert found.find("night").id == "org/Sky"
    assert found.aliases == {"night": "org/Sky"}
    found.records.remove_alias("night")
    with pytest.raises(ModelNotFoundError):
        found.find("night")


def test_an_alias_may_mean_a_model_of_several_variants(stored, registry_with):
    found = registry_with(stored("org/Sky:Q4_0", variant="Q4_0"), stored("org/Sky:Q8_0", variant="Q8_0", size_bytes=2))
    found.records.set_alias("night", "org/Sky")
    assert found.find("night").id == "org/Sky:Q8_0"


def test_all_variants_of_a_model_that_is_named_without_one(stored, registry_with):
    quants = ("Q4_K_M", "Q8_0", "F16")
    found = registry_with(
        *(stored(f"org/Sky-7B:{quant}", variant=quant, size_bytes=at) for at, quant in enumerate(quants)),
        stored("org/Moon-7B:Q8_0", variant="Q8_0"),
    )
    for ref in ("org/Sky-7B", "sky-7b", "ORG/sky"):
        assert {one.variant for one in found.variants(ref)} == set(quants)
        assert found.find(ref) in found.variants(ref)
    assert [one.variant for one in found.variants("sky-7b:q8_0")] == ["Q8_0"]
    found.records.set_alias("night", "org/Sky-7B")
    found.records.set_alias("small", "org/Sky-7B:Q4_K_M")
    assert len(found.variants("night")) == 3
    assert [one.variant for one in found.variants("small")] == ["Q4_K_M"]
    with pytest.raises(ModelNotFoundError, match="'org' could be "):
        found.variants("org")
    with pytest.raises(ModelNotFoundError, match="there is no model 'sun'"):
        found.variants("sun")


def test_a_file_that_is_named_is_the_only_one(tmp_path, registry):
    for name in ("sky-Q4_0", "sky-Q8_0"):
        write_gguf(tmp_path / f"{name}.gguf")
    found = registry(ModelStore(name="usb", list=lambda: [ModelFolder(path=tmp_path)]))
    assert {one.variant for one in found.variants("sky")} == {"Q4_0", "Q8_0"}
    assert [one.path.name for one in found.variants(str(tmp_path / "sky-Q4_0.gguf"), allow_path=True)] == [
        "sky-Q4_0.gguf"
    ]


def test_the_whole_model_that_is_named_exactly_is_the_only_one(stored, registry_with):
    found = registry_with(stored("org/Sky"), stored("org/Sky:Q4_0", variant="Q4_0", size_bytes=9))
    assert [one.id for one in found.variants("org/Sky")] == ["org/Sky"]
