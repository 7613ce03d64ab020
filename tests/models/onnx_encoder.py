"""Export an encoder of text to ONNX, with the files beside it: for embeddings, or with its head as its class says.

Usage: onnx_encoder.py HF_FOLDER FOLDER
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from transformers import AutoModel, AutoModelForSequenceClassification

ANY = torch.export.Dim.AUTO
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class Plain(torch.nn.Module):
    """The model with its one output instead of a record of them."""

    def __init__(self, model, output):
        super().__init__()
        self.model, self.output = model, output

    def forward(self, *inputs):
        return self.model(**dict(zip(INPUTS, inputs, strict=True)))[self.output]


def export(source, folder):
    judges = "SequenceClassification" in json.loads((source / "config.json").read_text())["architectures"][0]
    kind, output = (AutoModelForSequenceClassification, "logits") if judges else (AutoModel, "last_hidden_state")
    model = kind.from_pretrained(source, dtype=torch.float32).eval()
    example = tuple(torch.ones(2, 7, dtype=torch.long) for _ in INPUTS)
    with torch.no_grad():
        torch.onnx.export(
            Plain(model, output),
            example,
            str(folder / "model.onnx"),
            input_names=INPUTS,
            output_names=[output],
            dynamic_shapes=(tuple({0: ANY, 1: ANY} for _ in INPUTS),),
            opset_version=18,
            external_data=False,
        )
    unwanted = shutil.ignore_patterns("*.safetensors", "*.md")
    shutil.copytree(source, folder, ignore=unwanted, dirs_exist_ok=True)


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
