"""Export the tiny model to three graphs, as transformers.js and Optimum lay out models that see: eyes, words, decoder.

Usage: tiny_vlm_onnx.py TINY_FOLDER FOLDER
"""

import shutil
import sys
from itertools import pairwise
from pathlib import Path

import torch
from transformers import AutoModelForImageTextToText, DynamicCache

ANY = torch.export.Dim.AUTO


class Eyes(torch.nn.Module):
    """One whole picture to its features, without the places of pictures that fill only a part."""

    def __init__(self, model):
        super().__init__()
        self.sight, self.connector = model.model.vision_model, model.model.connector

    def forward(self, pixel_values):
        embeddings = self.sight.embeddings
        seen = embeddings.patch_embedding(pixel_values).flatten(2).transpose(1, 2)
        seen = seen + embeddings.position_embedding.weight[None]
        for layer in self.sight.encoder.layers:
            out = layer(seen, None)
            seen = out[0] if isinstance(out, tuple) else out
        return self.connector(self.sight.post_layernorm(seen))


class Decoder(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.text, self.head = model.model.text_model, model.lm_head

    def forward(self, inputs_embeds, attention_mask, position_ids, *past):
        cache = DynamicCache(config=self.text.config)
        for layer, (key, value) in enumerate(list(pairwise(past))[::2]):
            cache.update(key, value, layer)
        asked = {"inputs_embeds": inputs_embeds, "attention_mask": attention_mask, "position_ids": position_ids}
        hidden = self.text(**asked, past_key_values=cache, use_cache=True).last_hidden_state
        return self.head(hidden), *(tensor for layer in cache.layers for tensor in (layer.keys, layer.values))


def export(source, folder):
    model = AutoModelForImageTextToText.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
    config = model.config.text_config
    names = [f"{layer}.{kind}" for layer in range(config.num_hidden_layers) for kind in ("key", "value")]
    batch, new, before = 2, 3, 5
    places = torch.arange(before, before + new)[None].repeat(batch, 1)
    asked = (torch.rand(batch, new, config.hidden_size), torch.ones(batch, before + new, dtype=torch.long), places)
    past = [torch.zeros(batch, config.num_key_value_heads, before, config.head_dim) for _ in names]
    side = model.config.vision_config.image_size
    words, both = model.model.text_model.embed_tokens, {0: ANY, 1: ANY}
    write(folder / "vision_encoder.onnx", Eyes(model), (torch.rand(2, 3, side, side),), ["pixel_values"],
          ["image_features"], ({0: ANY},))  # fmt: skip
    write(folder / "embed_tokens.onnx", words, (torch.zeros_like(places),), ["input_ids"], ["inputs_embeds"], (both,))
    inputs = ["inputs_embeds", "attention_mask", "position_ids", *(f"past_key_values.{name}" for name in names)]
    shapes = (both, both, both, tuple({0: ANY, 2: ANY} for _ in past))
    outputs = ["logits", *(f"present.{name}" for name in names)]
    write(folder / "decoder_model_merged.onnx", Decoder(model), (*asked, *past), inputs, outputs, shapes)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors"), dirs_exist_ok=True)


def write(file, model, example, inputs, outputs, shapes):
    with torch.no_grad():
        torch.onnx.export(
            model,
            example,
            str(file),
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=shapes,
            opset_version=18,
            external_data=False,
        )


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
