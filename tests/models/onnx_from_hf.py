"""Export a causal language model to ONNX with its cache as inputs and outputs, named as Optimum names them.

Usage: onnx_from_hf.py HF_FOLDER FOLDER

Optimum itself (``optimum-onnx`` 0.1.0) wants a transformers before 4.58, so torch's exporter is told the names.
"""

import shutil
import sys
from itertools import pairwise
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, DynamicCache

BESIDE = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
ANY = torch.export.Dim.AUTO


class WithCache(torch.nn.Module):
    """The model with a flat list of keys and values instead of a cache object."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask, position_ids, *past):
        cache = DynamicCache(config=self.model.config)
        for layer, (key, value) in enumerate(list(pairwise(past))[::2]):
            cache.update(key, value, layer)
        asked = {"input_ids": input_ids, "attention_mask": attention_mask, "position_ids": position_ids}
        logits = self.model(**asked, past_key_values=cache, use_cache=True).logits
        return logits, *(tensor for layer in cache.layers for tensor in (layer.keys, layer.values))


def export(source, folder):
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
    config = model.config
    names = [f"{layer}.{kind}" for layer in range(config.num_hidden_layers) for kind in ("key", "value")]
    batch, new, before = 2, 3, 5
    past = [torch.zeros(batch, config.num_key_value_heads, before, config.head_dim) for _ in names]
    places = torch.arange(before, before + new)[None].repeat(batch, 1)
    asked = (torch.zeros_like(places), torch.ones(batch, before + new, dtype=torch.long), places)
    with torch.no_grad():
        torch.onnx.export(
            WithCache(model),
            (*asked, *past),
            str(folder / "model.onnx"),
            input_names=["input_ids", "attention_mask", "position_ids", *(f"past_key_values.{name}" for name in names)],
            output_names=["logits", *(f"present.{name}" for name in names)],
            dynamic_shapes=(*({0: ANY, 1: ANY} for _ in asked), tuple({0: ANY, 2: ANY} for _ in past)),
            opset_version=18,
            external_data=True,
        )
    for name in BESIDE:
        shutil.copy(source / name, folder / name)


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
