"""Write a Llama or a BERT as GGUF in float32, without torch and without llama.cpp's converter.

Usage: gguf_from_hf.py HF_FOLDER FILE.gguf

That converter is in no package, and knows no vocabulary that isn't registered with it. Names and layouts are from the
GGUF specification and the package `gguf`; with float32 weights every engine computes with the same numbers.
"""

import json
import sys
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.numpy import load_file

Weights = dict[str, np.ndarray[Any, Any]]


def write(folder: Path, file: Path) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    arch = {"llama": gguf.MODEL_ARCH.LLAMA, "bert": gguf.MODEL_ARCH.BERT}[config["model_type"]]
    writer = gguf.GGUFWriter(file, gguf.MODEL_ARCH_NAMES[arch])
    writer.add_name(folder.name)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    add_sizes(writer, config)
    weights = load_file(folder / "model.safetensors")
    if arch is gguf.MODEL_ARCH.LLAMA:
        add_llama(writer, folder, config)
        weights = {name: interleaved(name, weight, config) for name, weight in weights.items()}
    else:
        weights = add_bert(writer, folder, config, weights)
    add_weights(writer, gguf.get_tensor_name_map(arch, config["num_hidden_layers"]), weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_sizes(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_vocab_size(config["vocab_size"])


def add_llama(writer: gguf.GGUFWriter, folder: Path, config: dict[str, Any]) -> None:
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    add_byte_vocabulary(writer, json.loads((folder / "tokenizer.json").read_text("utf-8")))
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(False)
    writer.add_chat_template((folder / "chat_template.jinja").read_text("utf-8"))


def add_byte_vocabulary(writer: gguf.GGUFWriter, tokenizer: dict[str, Any]) -> None:
    """A vocabulary of bytes joined by merges, cut beforehand as GPT-2 does."""
    kinds = dict.fromkeys(tokenizer["model"]["vocab"].values(), gguf.TokenType.NORMAL)
    texts = {number: text for text, number in tokenizer["model"]["vocab"].items()}
    for added in tokenizer["added_tokens"]:
        texts[added["id"]] = added["content"]
        kinds[added["id"]] = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([texts[number] for number in sorted(texts)])
    writer.add_token_types([kinds[number] for number in sorted(texts)])
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])


def interleaved(name: str, weight: Any, config: dict[str, Any]) -> Any:
    """Rows of queries and keys in the order of llama.cpp, which rotates neighbours; transformers rotates halves."""
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for part, count in heads.items():
        if f".{part}." in name:
            return weight.reshape(count, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)
    return weight


def add_bert(writer: gguf.GGUFWriter, folder: Path, config: dict[str, Any], weights: Weights) -> Weights:
    """The vocabulary of words and their ends, and what becomes of the sentence: its mean, or a head's output."""
    vocabulary = json.loads((folder / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    words = sorted(vocabulary, key=lambda word: vocabulary[word])
    special = [word.startswith("[") and word.endswith("]") for word in words]
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([marked(word, own) for word, own in zip(words, special, strict=True)])
    writer.add_token_types([gguf.TokenType.CONTROL if own else gguf.TokenType.NORMAL for own in special])
    writer.add_token_type_count(config["type_vocab_size"])
    for word, add in (("[CLS]", writer.add_bos_token_id), ("[SEP]", writer.add_eos_token_id)):
        add(vocabulary[word])
    writer.add_unk_token_id(vocabulary["[UNK]"])
    writer.add_sep_token_id(vocabulary["[SEP]"])
    writer.add_pad_token_id(vocabulary["[PAD]"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    judges = "classifier.weight" in weights
    writer.add_pooling_type(gguf.PoolingType.RANK if judges else gguf.PoolingType.MEAN)
    if judges:
        labels = config["id2label"]
        writer.add_classifier_output_labels([labels[number] for number in sorted(labels, key=int)])
    return headed(weights)


def headed(weights: Weights) -> Weights:
    """Weights by the names that `gguf` knows; an encoder's own pooler is used by none but a head."""
    names = {name.removeprefix("bert."): weight for name, weight in weights.items()}
    dense = {name: names.pop(name) for name in list(names) if name.startswith("pooler.")}
    if "classifier.weight" in names:
        for part in ("weight", "bias"):
            names[f"classifier.out_proj.{part}"] = names.pop(f"classifier.{part}")
            names[f"classifier.dense.{part}"] = dense[f"pooler.dense.{part}"]
    return {name: weight for name, weight in names.items() if not name.endswith("position_ids")}


def marked(word: str, special: bool) -> str:
    """A word as llama.cpp stores it: its beginning is marked, not its continuation."""
    return word if special else word[2:] if word.startswith("##") else f"\u2581{word}"


def add_weights(writer: gguf.GGUFWriter, names: gguf.TensorNameMap, weights: Weights) -> None:
    for name, weight in weights.items():
        stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if stored is None:
            raise SystemExit(f"GGUF has no name for the tensor {name!r}")
        writer.add_tensor(stored, weight.astype(np.float32))


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
