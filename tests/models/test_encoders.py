"""What was made of MiniLM says the same as MiniLM, asked with nothing but the engines themselves."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
onnxruntime = pytest.importorskip("onnxruntime")
llama_cpp = pytest.importorskip("llama_cpp")

TEXTS = ["A cat sits on the mat.", "Größe und naïve Café", "stocks fell 3.5% today!", "東京 hello"]
QUERY = "What is the capital of France?"
FACTS = ["Madrid is the capital of Spain.", "Paris is the capital of France.", "A cat meows."]


def asked(folder, *texts):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return tokenizer(*texts, padding=True, return_tensors="pt")


def from_graph(folder, inputs):
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    return session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})[0]


def test_embeddings(minilm, minilm_onnx, minilm_gguf):
    inputs = asked(minilm, TEXTS)
    with torch.inference_mode():
        hidden = transformers.AutoModel.from_pretrained(minilm)(**inputs).last_hidden_state.numpy()
    assert np.abs(hidden - from_graph(minilm_onnx, inputs))[inputs["attention_mask"].bool()].max() < 1e-4
    mask = inputs["attention_mask"].numpy()[..., None]
    mean = (hidden * mask).sum(1)
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    model = llama_cpp.Llama(str(minilm_gguf), embedding=True, n_ctx=512, verbose=False)
    assert [model.tokenize(text.encode()) for text in TEXTS] == [
        asked(minilm, text).input_ids[0].tolist() for text in TEXTS
    ]
    assert (mean * np.array(model.embed(TEXTS, normalize=True))).sum(1).min() > 1 - 1e-4


def test_ranking(judge, judge_onnx):
    inputs = asked(judge, [QUERY] * len(FACTS), FACTS)
    kind = transformers.AutoModelForSequenceClassification
    with torch.inference_mode():
        scores = kind.from_pretrained(judge)(**inputs).logits.numpy()[:, 0]
    assert from_graph(judge_onnx, inputs)[:, 0] == pytest.approx(scores, abs=1e-4)
    assert np.ptp(scores) > 0.1, "they differ by more than rounding"
