from __future__ import annotations

import pytest
from attrs import evolve
from pydantic import BaseModel, ValidationInfo, field_validator, model_validator

from uml_core.errors import (
    InsufficientMemoryError,
    InvalidModelFileError,
    InvalidOptionsError,
    ModelNotFoundError,
    UnprocessableEntityError,
)
from uml_core.host import probe_host
from uml_core.testing.gguf import write_gguf
from uml_core.types import Level, LoadRequest, Match


def test_a_plan_with_nothing_said(setup, backend):
    plan = setup.planner(backend("one")).plan(LoadRequest(model="tiny"))
    assert (plan.model_id, plan.model.path, plan.backend) == ("Tiny", setup.folder / "models/Tiny.gguf", "one")
    assert (plan.context_length, plan.parallel, plan.tasks) == (4096, 1, ("text-generation",))
    assert plan.threads == max(1, probe_host().physical_cores - 1)
    assert plan.options == {"n_gpu_layers": None, "flash_attn": False}
    assert plan.settings == {"binary": None}


def test_the_settings_give_what_the_request_leaves_open(setup, backend):
    own = {"context_length": 1024, "parallel": 3, "options": {"n_gpu_layers": 5, "flash_attn": True}}
    planner = setup.planner(backend("one"), models={"Tiny": own}, threads=7, context_length=99)
    plan = planner.plan(LoadRequest(model="Tiny", options={"n_gpu_layers": 1}))
    assert (plan.context_length, plan.parallel, plan.threads) == (1024, 3, 7)
    assert plan.options == {"n_gpu_layers": 1, "flash_attn": True}
    asked = planner.plan(LoadRequest(model="Tiny", context_length=2, parallel=1))
    assert (asked.context_length, asked.parallel) == (2, 1)


def test_options_written_for_one_backend_are_not_given_to_another(setup, backend):
    own = {"backend": "one", "options": {"flash_attn": True}}
    planner = setup.planner(backend("one"), backend("two"), models={"Tiny": own})
    assert planner.plan(LoadRequest(model="Tiny")).options["flash_attn"] is True
    assert planner.plan(LoadRequest(model="Tiny", backend="two")).options["flash_attn"] is False


def test_tasks_that_this_model_can_do(setup, backend):
    narrow = Match(Level.NATIVE, "no images", tasks=("text-generation",))
    one = backend("one", narrow, tasks=("text-generation", "image-text-to-text"))
    assert setup.planner(one).plan(LoadRequest(model="Tiny")).tasks == ("text-generation",)


@pytest.mark.parametrize(
    ("trained", "usual", "planned"), [(4096, 8192, 4096), (131072, 8192, 8192), (None, 8192, 8192), (0, 512, 512)]
)
def test_the_context_when_none_is_asked_for(setup, backend, trained, usual, planned):
    setup.model(**{"llama.context_length": trained} if trained is not None else {"general.architecture": "odd"})
    assert setup.planner(backend("one"), context_length=usual).plan(LoadRequest(model="Tiny")).context_length == planned


@pytest.mark.parametrize("asked", [4097, 0, -1])
def test_a_context_that_the_model_does_not_have(setup, backend, asked):
    with pytest.raises(InvalidOptionsError, match="must be from 1 to the 4096 that the model was trained") as caught:
        setup.planner(backend("one")).plan(LoadRequest(model="Tiny", context_length=asked))
    assert (caught.value.param, caught.value.status) == ("context_length", 400)


def test_a_context_of_uml_toml_that_the_model_does_not_have(setup, backend):
    setup.model()
    planner = setup.planner(backend("one"), models={"Tiny": {"context_length": 10**6}})
    with pytest.raises(
        InvalidOptionsError, match=r"^context_length is 1000000 tokens, as uml\.toml says for this model,"
    ):
        planner.plan(LoadRequest(model="Tiny"))


def test_a_context_of_a_model_that_does_not_tell_its_own(setup, backend):
    setup.model(**{"general.architecture": "odd"})
    planner = setup.planner(backend("one"))
    assert planner.plan(LoadRequest(model="Tiny", context_length=10**6)).context_length == 10**6
    with pytest.raises(InvalidOptionsError, match="must be at least 1"):
        planner.plan(LoadRequest(model="Tiny", context_length=0))


@pytest.mark.parametrize("asked", [0, -1, 65])
def test_sequences_at_once_out_of_range(setup, backend, asked):
    with pytest.raises(InvalidOptionsError, match=f"parallel is {asked}, but must be from 1 to 64"):
        setup.planner(backend("one")).plan(LoadRequest(model="Tiny", parallel=asked))


@pytest.mark.parametrize(
    ("options", "param", "problem"),
    [
        ({"n_gpu_layer": 1}, "n_gpu_layer", "is unknown (did you mean 'n_gpu_layers'?)"),
        ({"n_gpu_layers": -2}, "n_gpu_layers", "is wrong: Input should be greater than or equal to -1"),
    ],
)
def test_options_that_the_backend_does_not_have(setup, backend, options, param, problem):
    with pytest.raises(InvalidOptionsError) as caught:
        setup.planner(backend("one")).plan(LoadRequest(model="Tiny", options=options))
    sentence = f"the option '{param}' of the backend 'one' {problem}; its options are: n_gpu_layers, flash_attn"
    assert (str(caught.value), caught.value.param, caught.value.code) == (sentence, param, "invalid_options")


def test_options_that_only_together_are_wrong(setup, backend):
    class Options(BaseModel):
        n_ctx: int = 0

        @model_validator(mode="after")
        def _refuse(self):
            raise ValueError("'n_ctx' is extra: say context_length")

    with pytest.raises(InvalidOptionsError, match="an option of 'one' is wrong: 'n_ctx' is extra: say context_length;"):
        setup.planner(backend("one", options=Options)).plan(LoadRequest(model="Tiny", options={"n_ctx": 1}))


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ({"general.architecture": "clip"}, "'Tiny' is the projector of a model that sees or hears: load the model"),
        ({"general.type": "adapter"}, "'Tiny' is an adapter, a change to another model"),
        (
            {"general.type": "imatrix"},
            "'Tiny' is no model: it holds the statistics that another one was quantized with",
        ),
    ],
)
def test_a_file_that_is_no_model(setup, backend, metadata, sentence):
    setup.model(**metadata)
    one = backend("one")
    with pytest.raises(UnprocessableEntityError, match=sentence):
        setup.planner(one).plan(LoadRequest(model="Tiny"))
    assert one.asked == []


def test_a_model_that_is_larger_than_the_memory(setup, backend):
    path = setup.folder / "models/Huge.gguf"
    write_gguf(path, {"general.architecture": "llama"}, tensors={"w": (8,)})
    with path.open("r+b") as file:
        file.truncate(10**13)  # sparse
    with pytest.raises(
        InsufficientMemoryError, match=r"^'Huge' needs 1\d{4}\.\d GB of memory, and \d+\.\d GB can be"
    ) as caught:
        setup.planner(backend("one")).plan(LoadRequest(model="Huge"), freed={"cpu": 10**15})
    assert caught.value.plan.model_id == "Huge"


def test_what_the_switch_frees_counts_but_not_beyond_the_machine(setup, backend, monkeypatch):
    host = evolve(probe_host(), memory_bytes=16 * 10**9, free_memory_bytes=4 * 10**9)
    monkeypatch.setattr("uml_core.planning.plan.probe_host", lambda **_: host)
    path = setup.folder / "models/Huge.gguf"
    write_gguf(path, {"general.architecture": "llama"}, tensors={"w": (8,)})
    with path.open("r+b") as file:
        file.truncate(13 * 10**9)  # 15 GB with what is reckoned for a model of unknown dimensions
    request, planner = LoadRequest(model="Huge"), setup.planner(backend("one"))
    with pytest.raises(InsufficientMemoryError) as caught:
        planner.plan(request)
    assert (caught.value.status, caught.value.code, caught.value.exit_code) == (507, "insufficient_memory", 4)
    (budget,) = planner.plan(request, freed={"cpu": 10**15}).memory.budgets
    assert budget.budget_bytes == 16 * 10**9 - budget.margin_bytes
    with pytest.raises(InsufficientMemoryError):
        planner.plan(request, freed={"cpu": 11 * 10**9})


def test_a_model_that_there_is_not(setup, backend):
    with pytest.raises(ModelNotFoundError, match=r"there is no model 'Tinny'; did you mean 'Tiny'\?"):
        setup.planner(backend("one")).plan(LoadRequest(model="Tinny"))


def test_a_file_by_its_path_only_where_that_is_allowed(setup, backend, tmp_path):
    path = setup.model().rename(tmp_path / "elsewhere.gguf")
    planner = setup.planner(backend("one"))
    assert planner.plan(LoadRequest(model=str(path)), allow_path=True).model_id == "elsewhere"
    with pytest.raises(ModelNotFoundError):
        planner.plan(LoadRequest(model=str(path)))


def test_a_broken_file(setup, backend):
    path = setup.model()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InvalidModelFileError, match="it was cut off; download it again"):
        setup.planner(backend("one")).plan(LoadRequest(model="Tiny"))


class NeedsBinary(BaseModel):
    fast: bool = False

    @field_validator("fast")
    @classmethod
    def _be_there(cls, value, info: ValidationInfo):
        if value and not info.context["settings"]["binary"]:
            raise ValueError("it needs a binary")
        return value


def test_an_option_is_refused_by_what_the_backends_settings_say(setup, backend):
    one, request = backend("one", options=NeedsBinary), LoadRequest(model="Tiny", options={"fast": True})
    with pytest.raises(InvalidOptionsError, match="'fast' of the backend 'one' is wrong: it needs a binary"):
        setup.planner(one).plan(request)
    planner = setup.planner(one, plugins={"one": {"binary": "/bin/true"}})
    assert planner.plan(request).options == {"fast": True}
