"""The language half of the tiny model as a Llama of its own, in float32; needs no torch.

Usage: tiny_text.py TINY_FOLDER FOLDER
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

BESIDE = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")


def cut_out(source: Path, folder: Path) -> None:
    config = json.loads((source / "config.json").read_text("utf-8"))["text_config"]
    config |= {"architectures": ["LlamaForCausalLM"], "dtype": "float32", "tie_word_embeddings": True}
    (folder / "config.json").write_text(json.dumps(config, indent=2), "utf-8")
    half = "model.text_model."
    weights = {
        name.replace(half, "model."): weight.astype(np.float32)
        for name, weight in load_file(source / "model.safetensors").items()
        if name.startswith(half)
    }
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    for name in BESIDE:
        shutil.copy(source / name, folder / name)
    said = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    said = {name: value for name, value in said.items() if not name.startswith("processor")}
    (folder / "tokenizer_config.json").write_text(json.dumps(said, indent=2), "utf-8")


if __name__ == "__main__":
    cut_out(Path(sys.argv[1]), Path(sys.argv[2]))
