"""Export a causal language model to ONNX as transformers' own exporter does: its file names, its input names.

Usage: onnx_by_transformers.py HF_FOLDER FOLDER
"""

import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, DynamicCache
from transformers.exporters.exporter_onnx import OnnxConfig, OnnxExporter

BESIDE = ("generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def export(source, folder):
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
    batch, new, before = 2, 3, 5
    cache = DynamicCache(config=model.config)
    heads, size = model.config.num_key_value_heads, model.config.head_dim
    for layer in range(model.config.num_hidden_layers):
        cache.update(torch.zeros(batch, heads, before, size), torch.zeros(batch, heads, before, size), layer)
    asked = {
        "input_ids": torch.zeros(batch, new, dtype=torch.long),
        "attention_mask": torch.ones(batch, before + new, dtype=torch.long),
        "position_ids": torch.arange(before, before + new)[None].repeat(batch, 1),
        "past_key_values": cache,
        "use_cache": True,
    }
    OnnxExporter().export(model, asked, config=OnnxConfig(dynamic=True)).save_pretrained(folder)
    for name in BESIDE:
        shutil.copy(source / name, folder / name)


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
