"""Loading folders in process: what is read, in which numbers, how far it is; and what is wrong with broken ones."""

import json
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from uml_core.errors import InvalidModelFileError, ModelLoadError, UMLError
from uml_core.worker import ChatRequest, CompletionRequest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.engine

SIZES = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
CHAT = ChatRequest(messages=({"role": "user", "content": "count"},), max_tokens=12, temperature=0.0)
TEXTS = [CompletionRequest(prompt=text, max_tokens=9, temperature=0.0) for text in ("one two", "from ten to", "count")]


@pytest.fixture(scope="session")
def small(tmp_path_factory, tokenizer_folder):
    """A Llama of random weights, in safetensors of several parts."""
    folder = tmp_path_factory.mktemp("small")
    torch.manual_seed(1)
    config = transformers.LlamaConfig(**SIZES, initializer_range=0.5)
    transformers.LlamaForCausalLM(config).save_pretrained(folder, max_shard_size="30KB")
    shutil.copytree(tokenizer_folder, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture
def copy(small, tmp_path):
    return shutil.copytree(small, tmp_path / "copy")


@pytest.fixture
def load():
    from uml_transformers.worker import load as real

    engines = []

    def begin(plan, told=lambda _: None):
        engines.append(real(plan, told))
        return engines[-1]

    yield begin
    for engine in engines:
        engine.close()


def options(**said):
    from uml_transformers.options import Options

    return Options(**said).model_dump()


def as_pickles(folder):
    """The same weights in one file of PyTorch's."""
    from safetensors.torch import load_file

    weights = {}
    for part in folder.glob("*.safetensors"):
        weights |= load_file(part)
        part.unlink()
    (folder / "model.safetensors.index.json").unlink()
    torch.save(weights, folder / "pytorch_model.bin")


def test_the_parts_are_the_progress(small, plan_of, load):
    told = []
    load(plan_of(small), told.append)
    assert told[0] == 0
    assert told == sorted(told)
    assert len(set(told)) > 10
    assert told[-1] > 0.97


def test_together_as_each_alone(small, plan_of, load, answers):
    engine = load(plan_of(small))
    together = answers(engine, CHAT, *TEXTS)
    assert together == [answers(engine, request)[0] for request in (CHAT, *TEXTS)]
    assert all(together)
    assert len(set(together)) == len(together)


def test_pickles_answer_as_safetensors(copy, small, plan_of, load, answers):
    expected = answers(load(plan_of(small)), CHAT, *TEXTS)
    as_pickles(copy)
    plan = plan_of(copy)
    assert plan.model.format == "pytorch"
    assert answers(load(plan), CHAT, *TEXTS) == expected


def test_transformers_own_attention_answers_the_same(small, plan_of, load, answers, capfd):
    expected = answers(load(plan_of(small)), CHAT, *TEXTS)
    engine = load(plan_of(small, options=options(attn_implementation="eager")))
    assert "computes one sequence after the other: it is to use eager attention" in capfd.readouterr().err
    assert answers(engine, CHAT, *TEXTS) == expected


def test_as_transformers_itself_writes(small, plan_of, load, answers):
    model = transformers.LlamaForCausalLM.from_pretrained(small).eval()
    engine = load(plan_of(small))
    tokenizer = engine.model.tokenizer
    ids = tokenizer.encode("one two", add_special=True)
    made = model.generate(torch.tensor([ids]), max_new_tokens=9, do_sample=False, pad_token_id=0)[0, len(ids) :]
    said = b"".join(tokenizer.piece(token) for token in made.tolist() if token not in tokenizer.ends)
    assert answers(engine, TEXTS[0]) == [said.decode("utf-8", "replace")]


@pytest.mark.parametrize(
    ("stored", "said", "used"),
    [
        ("float32", "auto", "float32"),
        ("bfloat16", "auto", "bfloat16"),
        ("float16", "auto", "float32"),
        ("float16", "float16", "float16"),
        ("float32", "bfloat16", "bfloat16"),
    ],
)
def test_number_types(copy, plan_of, load, stored, said, used):
    from safetensors.torch import load_file, save_file

    for part in copy.glob("*.safetensors"):
        kept = {name: tensor.to(getattr(torch, stored)) for name, tensor in load_file(part).items()}
        save_file(kept, part, metadata={"format": "pt"})
    engine = load(plan_of(copy, options=options(dtype=said)))
    assert engine.model._model.dtype is getattr(torch, used)


@pytest.mark.parametrize(
    ("stored", "writes", "used"),
    [("float32", True, "bfloat16"), ("float32", False, "float32"), ("float16", True, "float16")],
)
def test_number_types_on_a_gpu(stored, writes, used):
    from uml_transformers.loading import choose_dtype

    found = choose_dtype("auto", getattr(torch, stored), torch.device("cuda:0"), writes=writes)
    assert found is getattr(torch, used)


def change(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_missing_part_is_named_by_a_weight_of_it(copy, plan_of, load):
    plan = plan_of(copy)
    gone = min(copy.glob("*.safetensors"))
    gone.unlink()
    with pytest.raises((OSError, UMLError)) as raised:
        load(plan)
    assert gone.name in str(getattr(raised.value, "filename", "")) + str(raised.value)
    with pytest.raises(InvalidModelFileError, match=r"'m' lacks \d+ of its weights, such as '"):
        load(plan_of(copy))


def test_weights_of_another_shape(copy, plan_of, load):
    change(copy, intermediate_size=64)
    with pytest.raises(InvalidModelFileError, match=r"'m' has \d+ weights of another shape than its config\.json says"):
        load(plan_of(copy))


def test_a_text_where_a_number_belongs(copy, plan_of, load):
    plan = plan_of(copy)
    change(copy, hidden_size="big")
    with pytest.raises(InvalidModelFileError, match=r"config\.json of 'm' says what can't be: .*'hidden_size'"):
        load(plan)


@pytest.mark.skipif(find_spec("bitsandbytes") is not None, reason="it is installed here")
def test_what_quantizes_is_named_if_it_is_not_there(small, plan_of, load):
    with pytest.raises(ModuleNotFoundError, match="No module named 'bitsandbytes'"):
        load(plan_of(small, options=options(load_in_4bit=True)))


def test_a_tokenizer_that_is_none(copy, plan_of, load):
    plan = plan_of(copy)
    (copy / "tokenizer.json").write_text("{}")
    with pytest.raises(InvalidModelFileError, match=r"tokenizer\.json' can't be read: Model missing"):
        load(plan)


def test_a_model_that_transformers_does_not_know(copy, plan_of, load):
    plan = plan_of(copy)
    change(copy, model_type="kimi9", architectures=["Kimi9ForCausalLM"])
    with pytest.raises(
        ModelLoadError, match=r"transformers \S+ does not know models of the kind '.*', so 'm' can't be"
    ):
        load(plan)


def test_a_model_that_is_for_something_else(copy, plan_of, load):
    plan = plan_of(copy)
    change(copy, model_type="vit", architectures=["ViTModel"])
    with pytest.raises(
        ModelLoadError, match="does not know 'vit' as a model for text-generation, so 'm' can't be loaded"
    ):
        load(plan)


def test_a_model_with_code_of_its_own(copy, plan_of, load):
    plan = plan_of(copy)
    change(copy, model_type="kimi9", auto_map={"AutoConfig": "own.Kimi9Config"})
    (copy / "own.py").write_text("raise SystemExit('this must not run')")
    with pytest.raises(ModelLoadError, match="needs Python files of its own, which are not run"):
        load(plan)


def test_a_number_type_that_is_none(copy, plan_of, load):
    plan = plan_of(copy)
    change(copy, dtype="float99")
    with pytest.raises(InvalidModelFileError, match=r"config\.json of 'm' says what can't be: .*float99"):
        load(plan)


def test_a_file_of_numbers_that_torch_does_not_know(copy, plan_of, load):
    plan = plan_of(copy)
    part = min(copy.glob("*.safetensors"))
    data = part.read_bytes()
    part.write_bytes(data.replace(b'"F32"', b'"F4" '))
    with pytest.raises(InvalidModelFileError, match=f"'{part.name}'"):
        load(plan)


def test_a_file_that_is_cut_off(copy, plan_of, load):
    plan = plan_of(copy)
    part = min(copy.glob("*.safetensors"))
    os.truncate(part, part.stat().st_size - 8)
    with pytest.raises(InvalidModelFileError, match=f"'{part.name}' is no whole safetensors file"):
        load(plan)


class Evil:
    def __reduce__(self):
        return (os.system, ("touch /tmp/uml-was-here",))


@pytest.mark.parametrize("place", ["beside", "alone"])
def test_a_pickle_with_code_in_it(copy, plan_of, load, place):
    as_pickles(copy)
    plan, file = plan_of(copy), copy / "pytorch_model.bin"
    torch.save({**torch.load(file), "more": Evil()} if place == "beside" else Evil(), file)
    with pytest.raises(
        InvalidModelFileError, match=r"'pytorch_model\.bin' is a pickle with code in it, which is never run"
    ):
        load(plan)
    assert not Path("/tmp/uml-was-here").exists()


def test_a_folder_without_a_tokenizer(copy, plan_of, load):
    plan = plan_of(copy)
    (copy / "tokenizer.json").unlink()
    with pytest.raises(InvalidModelFileError, match=r"has (a|no) tokenizer"):
        load(plan)


def test_a_model_that_sees_pictures_writes_without_one(tiny_vlm, tiny, plan_of, load, answers):
    plan = plan_of(tiny_vlm)
    assert plan.tasks[0] == "image-text-to-text"
    asked = ChatRequest(messages=({"role": "user", "content": "Count from 1 to 10."},), max_tokens=30, temperature=0.0)
    engine = load(plan)
    assert type(engine.model).__name__ == "SlotDecoder"
    assert answers(engine, asked) == ["1 2 3 4 5 6 7 8 9 10"]
    assert answers(load(plan_of(tiny)), asked) == ["1 2 3 4 5 6 7 8 9 10"]
