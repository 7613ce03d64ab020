"""On a CUDA device: the kernel, the graphs and the uploads against the processor's own way. Skipped without one."""

import numpy as np
import pytest

from uml_core.types import Placement
from uml_core.worker import CompletionRequest
from uml_core.worker.text import Row

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = [pytest.mark.engine, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")]

SIZES = {"vocab_size": 300, "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 3}
HEADS = {"num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 64, "max_position_embeddings": 512}


class Vocabulary:
    n_vocab = 300


def decoder(kind="llama", **said):
    from uml_transformers.worker import decoder_of

    torch.manual_seed(1)
    config = transformers.AutoConfig.for_model(kind, **SIZES, **HEADS, **said)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval().to("cuda:0")
    found, why = decoder_of(model, Vocabulary(), slots=6, context_length=256, batch=64)
    assert not why
    return found, model


def alone(model, tokens):
    with torch.inference_mode():
        ids = torch.tensor([tokens], device="cuda:0")
        return model(input_ids=ids, use_cache=False).logits[0, -1].float().cpu().numpy()


def near(found, expected):
    apart = np.linalg.norm(found.float().cpu().numpy() - expected) / np.linalg.norm(expected)
    assert apart < 0.05


@pytest.mark.parametrize(("kind", "said"), [("llama", {}), ("mistral", {"sliding_window": 20})])
@pytest.mark.parametrize("recorded", [False, True])
def test_packed_and_recorded(kind, said, recorded):
    made, model = decoder(kind, **said)
    assert made._slots.packed
    if recorded:
        made.capture()
        assert made._graphs is not None
        overwritten = [torch.full((size,), 1 << 40, device="cuda:0") for size in (1, 2, 4, 6) for _ in range(100)]
        assert overwritten  # all memory that a graph forgot to keep is somebody else's now
    texts = {slot: [(7 * slot + 3 * at) % 290 + 3 for at in range(50 + slot)] for slot in (4, 0, 2)}
    made.forward([Row(slot, 0, text[:40], wanted=False) for slot, text in texts.items()], lambda: False)
    for at in range(40, 45):
        found = made.forward([Row(slot, at, [text[at]], wanted=True) for slot, text in texts.items()], lambda: False)
        for row, text in zip(found, texts.values(), strict=True):
            near(row, alone(model, text[: at + 1]))
    mixed = [Row(0, 45, texts[0][45:50], wanted=True), Row(4, 45, [texts[4][45]], wanted=True)]
    one, other = made.forward(mixed, lambda: False)
    near(one, alone(model, texts[0][:50]))
    near(other, alone(model, texts[4][:46]))
    assert made.copy(0, 5, 48) == 48
    near(made.forward([Row(5, 48, [9], wanted=True)], lambda: False)[0], alone(model, [*texts[0][:48], 9]))


def test_uploads_are_the_files(smollm2_hf, plan_of):
    from safetensors.torch import load_file

    from uml_transformers.loading import load_model
    from uml_transformers.options import Options

    plan = plan_of(smollm2_hf, placement=Placement(devices=("cuda:0",)))
    told = []
    model = load_model(plan, Options(dtype="float32"), told.append)
    assert told[-1] > 0.97
    state = model.state_dict()
    for file in smollm2_hf.glob("*.safetensors"):
        for name, tensor in load_file(file).items():
            assert torch.equal(state[name].cpu(), tensor), name


def test_a_real_model_counts(smollm2_hf, plan_of, answers):
    from uml_transformers.worker import load

    engine = load(plan_of(smollm2_hf, placement=Placement(devices=("cuda:0",)), parallel=4), lambda _: None)
    assert engine.model._slots.packed
    assert engine.model._graphs is not None
    asked = [
        CompletionRequest(prompt=text, max_tokens=8, temperature=0.0)
        for text in ("1 2 3 4", "The capital of France is")
    ]
    one, other = answers(engine, *asked)
    assert "5 6 7" in one
    assert "Paris" in other
    engine.close()
