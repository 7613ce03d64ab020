"""Small whole files of each format, which the fuzzers begin with; a few kilobytes in all, made anew each time."""

from __future__ import annotations

import io
import json
import pickle
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from struct import pack

from uml_core.testing.gguf import write_gguf
from uml_core.testing.onnx import field, model, tensor, write_onnx

Kind = tuple[str, bytes]


def gguf() -> list[bytes]:
    """Metadata of every type, and the keys that dimensions are made of."""
    facts = {
        "general.architecture": "llama",
        "general.name": "Tiny",
        "general.file_type": 15,
        "general.tags": ["a", "b"],
        "llama.context_length": 2048,
        "llama.embedding_length": 64,
        "llama.block_count": 3,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": [1, 2, 2],
        "llama.attention.sliding_window": 512,
        "llama.rope.freq_base": 10000.0,
        "tokenizer.chat_template": "{{ messages }}",
        "tokenizer.ggml.tokens": ["<s>", "", "a", "hello"],
        "tokenizer.ggml.add_bos_token": True,
    }
    tensors = {"token_embd.weight": (4, 8), "blk.0.attn_k.weight": (4,), "blk.0.ssm_conv1d.weight": (4, 4)}
    long = {"general.architecture": "bert", "tokenizer.ggml.tokens": ["token"] * 600, "bert.pooling_type": 1}
    split = facts | {"split.count": 2, "split.no": 0, "split.tensors.count": 3}
    clip = {"general.architecture": "clip", "clip.has_vision_encoder": True}
    adapter = {"general.type": "adapter", "adapter.type": "lora"}
    return [_gguf(metadata, tensors) for metadata in (facts, long, split, clip, adapter)]


def safetensors() -> list[bytes]:
    """One of each kind of header: plain, quantized, an adapter's, and with notes."""
    plain = {"a.weight": ("F32", [2, 3], 24), "a.bias": ("BF16", [3], 6), "empty": ("I64", [0], 0)}
    packed = {"l.qweight": ("I32", [2, 4], 32), "l.scales": ("F16", [4], 8), "l.g_idx": ("I32", [8], 32)}
    adapter = {
        "base_model.model.q_proj.lora_A.weight": ("F32", [1, 2], 8),
        "q_proj.lora_B.weight": ("F8_E4M3", [2, 1], 2),
    }
    return [_safetensors(tensors, notes) for tensors in (plain, packed, adapter) for notes in ({}, {"format": "pt"})]


def pytorch() -> list[bytes]:
    """Archives and the legacy format, with tensors that share their storage, and a pickle that is none of these."""
    state = _state({"a.weight": (2, 3), "a.bias": (3,)})
    numbers = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    legacy = b"".join((*numbers, _state({"w": (4,)}, legacy=True), pickle.dumps(["0"], 2), pack("<q", 6), bytes(24)))
    other = pickle.dumps({"epoch": 3, "names": ["a", "b"], "nested": {"x": (1, 2.5, None, b"z", {1})}}, 4)
    return [_archive(state), _archive(state, compression=zipfile.ZIP_DEFLATED), legacy, other]


def onnx() -> list[bytes]:
    """A decoder with a past, packed weights, data outside, and graphs within graphs."""
    past = {f"past_key_values.0.{part}": ("batch", 3, "past", 64) for part in ("key", "value")}
    inner = field(1, field(4, "Relu")) + field(5, tensor("inner", (2, 2)))
    branch = field(4, "If") + field(5, field(1, "then_branch") + field(6, inner) + field(20, 5))
    constant = field(4, "Constant") + field(5, field(1, "value") + field(5, tensor("", (3,))) + field(20, 4))
    sparse = field(15, field(1, tensor("values", (1,))) + field(2, tensor("at", (1,), type="int64")) + field(3, 9))
    packed = ("MatMulNBits", ("x", "w", "s"), {"K": 64, "N": 8, "bits": 4, "block_size": 32})
    attention = ("GroupQueryAttention", ("q",), {"num_heads": 9, "kv_num_heads": 3})
    sizes, types = {"w": (8, 2, 16), "s": (16,)}, {"w": "uint8", "input_ids": "int64"}
    faces = {"inputs": {"input_ids": ("batch", "n"), **past}, "outputs": {"logits": ("batch", "n", 100)}}
    outside = {"w": ("input.bin", 0, 256), "s": ("input.bin", 256, None)}
    return [
        _written(lambda path: write_onnx(path, tensors={"w": (4, 2)}, metadata={"license": "MIT"})),
        _written(lambda path: write_onnx(path, **faces, tensors=sizes, types=types, nodes=[packed, attention])),
        _written(lambda path: write_onnx(path, tensors=sizes, types=types, places=outside)),
        model(field(1, branch) + field(1, constant) + sparse),
        model(field(1, constant)) + field(25, field(1, "f") + field(7, constant)) + field(20, field(1, inner)),
    ]


def json_files() -> list[Kind]:
    """What stands beside weights, by the names of the files."""
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "intermediate_size": 128,
        "max_position_embeddings": 2048,
        "sliding_window": 512,
        "layer_types": ["full_attention", "sliding_attention", "linear_attention"],
        "quantization_config": {"quant_method": "gptq", "bits": 4},
        "vocab_size": 1000,
    }
    seen = {
        "model_type": "qwen2_vl",
        "text_config": config,
        "vision_config": {"depth": 2},
        "auto_map": {"AutoModel": "a.B"},
    }
    states = {
        "model_type": "mamba2",
        "state_size": 16,
        "conv_kernel": 4,
        "num_heads": 8,
        "n_groups": 1,
        "hidden_size": 64,
    }
    exl2 = config | {"quantization_config": {"quant_method": "exl2", "bits": 4.25}, "kv_lora_rank": 512}
    decoder = {"filename": "model.onnx", "head_size": 64, "num_attention_heads": 9, "num_hidden_layers": 30}
    genai = {"model": {"type": "llama", "context_length": 8192, "decoder": decoder | {"pipeline": [{"a": decoder}]}}}
    index = {"metadata": {"total_size": 30}, "weight_map": {"a.weight": "model.safetensors", "b": "other.safetensors"}}
    voice = {"audio": {"sample_rate": 22050}, "language": {"code": "en_US"}, "phoneme_id_map": {"_": [0]}}
    tokenizer = {"chat_template": "{{ messages }}", "model_max_length": 2048}
    adapter = {"peft_type": "LORA", "r": 8, "base_model_name_or_path": "org/name"}
    readme = b"---\nlicense: mit\npipeline_tag: text-ranking\n---\n# Words\n"
    told = [
        *(("config.json", value) for value in (config, seen, states, exl2)),
        ("genai_config.json", genai),
        ("model.safetensors.index.json", index),
        ("model.onnx.json", voice),
        ("tokenizer_config.json", tokenizer),
        ("adapter_config.json", adapter),
    ]
    return [*((name, json.dumps(value).encode()) for name, value in told), ("README.md", readme)]


def _gguf(metadata: dict[str, object], tensors: dict[str, tuple[int, ...]]) -> bytes:
    return _written(lambda path: write_gguf(path, metadata, tensors=tensors))


def _written(write: Callable[[Path], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "seed")
        write(path)
        return path.read_bytes()


def _safetensors(tensors: dict[str, tuple[str, list[int], int]], notes: dict[str, str]) -> bytes:
    header: dict[str, object] = {"__metadata__": notes} if notes else {}
    at = 0
    for name, (dtype, shape, size) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    return pack("<Q", len(text)) + text + bytes(at)


def _archive(state: bytes, *, compression: int = zipfile.ZIP_STORED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, data in (("data.pkl", state), ("byteorder", b"little"), ("data/0", bytes(24)), ("version", b"3\n")):
            archive.writestr(f"model/{name}", data)
    return made.getvalue()


def _state(tensors: dict[str, tuple[int, ...]], *, legacy: bool = False) -> bytes:
    """The pickle of a state dict, opcode by opcode: all tensors are parts of one storage."""
    storage = b"(" + _text("storage") + b"ctorch\nFloatStorage\n" + _text("0") + _text("cpu") + b"K\x06"
    storage += b"NtQ" if legacy else b"tQ"
    items = b""
    for name, shape in tensors.items():
        sizes, steps = (
            b"(" + b"".join(b"K" + bytes((one,)) for one in ones) + b"t" for ones in (shape, (*shape[1:], 1))
        )
        arguments = storage + b"K\x00" + sizes + steps + b"\x89" + b"ccollections\nOrderedDict\n)R"
        items += _text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + b"tR"
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u."


def _text(text: str) -> bytes:
    return b"X" + pack("<I", len(text)) + text.encode()
