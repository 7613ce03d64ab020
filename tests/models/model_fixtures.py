"""The models that tests ask for by name: fetched as a user would fetch them, or made from those; each once."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from making import made

EXPORT = ("torch", "transformers", "onnxscript")
GENAI = ("torch", "transformers", "onnxruntime_genai", "onnx_ir")
SMOL = "SmolLM2-135M-Instruct"


@pytest.fixture(scope="session")
def smollm2_hf(smollm2: Path) -> Path:
    """SmolLM2 as Hugging Face stores models, with the numbers of the GGUF file as float32 in safetensors (538 MB)."""
    return made(SMOL, "hf_from_gguf.py", smollm2, needs=("torch", "transformers", "gguf", "accelerate"))


@pytest.fixture(scope="session")
def smollm2_bin(smollm2_hf: Path) -> Path:
    """The same in PyTorch's own format, a pickle."""
    return made(f"{SMOL}-bin", "bin_from_hf.py", smollm2_hf)


@pytest.fixture(scope="session")
def smollm2_onnx(smollm2_hf: Path) -> Path:
    """The same as ONNX in float32, with inputs and outputs named as Optimum names them."""
    return made(f"{SMOL}-onnx", "onnx_from_hf.py", smollm2_hf, needs=EXPORT)


@pytest.fixture(scope="session")
def smollm2_onnx_transformers(smollm2_hf: Path) -> Path:
    """The same as transformers' own exporter writes it."""
    return made(f"{SMOL}-onnx-transformers", "onnx_by_transformers.py", smollm2_hf, needs=EXPORT)


@pytest.fixture(scope="session")
def smollm2_genai(smollm2_hf: Path) -> Path:
    """The same as onnxruntime-genai's builder writes it, in float32."""
    return made(f"{SMOL}-onnx-genai-fp32", "onnx_by_genai.py", smollm2_hf, "fp32", needs=GENAI)


@pytest.fixture(scope="session")
def smollm2_genai_int4(smollm2_hf: Path) -> Path:
    """The same with weights of 4 bits (86 MB)."""
    return made(f"{SMOL}-onnx-genai-int4", "onnx_by_genai.py", smollm2_hf, "int4", needs=GENAI)


@pytest.fixture(scope="session")
def minilm_onnx(minilm: Path) -> Path:
    """all-MiniLM-L6-v2 as ONNX, with the files of sentence-transformers beside it."""
    return made("all-MiniLM-L6-v2-onnx", "onnx_encoder.py", minilm, needs=EXPORT)


@pytest.fixture(scope="session")
def minilm_gguf(minilm: Path) -> Path:
    """all-MiniLM-L6-v2 as GGUF in float32."""
    return made("all-MiniLM-L6-v2.F32.gguf", "gguf_from_hf.py", minilm, needs=("gguf", "safetensors"))


@pytest.fixture(scope="session")
def judge(minilm: Path) -> Path:
    """MiniLM with a head of one output, to rank with; what it prefers means nothing, but is always the same."""
    return made("MiniLM-judge", "bert_head.py", minilm, "relevance")


@pytest.fixture(scope="session")
def judge_onnx(judge: Path) -> Path:
    return made("MiniLM-judge-onnx", "onnx_encoder.py", judge, needs=EXPORT)


@pytest.fixture(scope="session")
def judge_gguf(judge: Path) -> Path:
    return made("MiniLM-judge.F32.gguf", "gguf_from_hf.py", judge, needs=("gguf", "safetensors"))


@pytest.fixture(scope="session")
def moods(minilm: Path) -> Path:
    """MiniLM with a head of three outputs, to classify with: ``glad``, ``sad``, ``angry``, drawn by chance."""
    return made("MiniLM-moods", "bert_head.py", minilm, "glad", "sad", "angry")


@pytest.fixture(scope="session")
def moods_onnx(moods: Path) -> Path:
    return made("MiniLM-moods-onnx", "onnx_encoder.py", moods, needs=EXPORT)


@pytest.fixture(scope="session")
def tiny_vlm() -> Path:
    """The project's own tiny model (tiny_train.py): text and pictures, tool calls and thoughts; 1.3 MB."""
    return Path(__file__).parents[1] / "data" / "tiny"


@pytest.fixture(scope="session")
def tiny_made(tiny_vlm: Path) -> str:
    """The folder of what is made of the tiny model, another one for another tiny model."""
    files = sorted(path for path in tiny_vlm.iterdir() if path.is_file())
    return f"tiny-{hashlib.sha256(b''.join(path.read_bytes() for path in files)).hexdigest()[:8]}"


@pytest.fixture(scope="session")
def tiny(tiny_vlm: Path, tiny_made: str) -> Path:
    """Its language half: a Llama in float32."""
    return made(f"{tiny_made}/tiny", "tiny_text.py", tiny_vlm, needs=("safetensors",))


@pytest.fixture(scope="session")
def tiny_gguf(tiny: Path, tiny_made: str) -> Path:
    return made(f"{tiny_made}/tiny.F32.gguf", "gguf_from_hf.py", tiny, needs=("gguf", "safetensors"))


@pytest.fixture(scope="session")
def tiny_mmproj(tiny_vlm: Path, tiny_made: str) -> Path:
    """Its eyes, as llama.cpp wants them beside the text model."""
    return made(f"{tiny_made}/tiny.mmproj.gguf", "mmproj_from_hf.py", tiny_vlm, needs=("gguf", "safetensors"))


@pytest.fixture(scope="session")
def tiny_onnx(tiny: Path, tiny_made: str) -> Path:
    return made(f"{tiny_made}/tiny-onnx", "onnx_from_hf.py", tiny, needs=EXPORT)


@pytest.fixture(scope="session")
def tiny_genai(tiny: Path, tiny_made: str) -> Path:
    return made(f"{tiny_made}/tiny-onnx-genai", "onnx_by_genai.py", tiny, "fp32", needs=GENAI)


@pytest.fixture(scope="session")
def tiny_vlm_onnx(tiny_vlm: Path, tiny_made: str) -> Path:
    """All of it, in three graphs."""
    return made(f"{tiny_made}/tiny-vlm-onnx", "tiny_vlm_onnx.py", tiny_vlm, needs=EXPORT)
