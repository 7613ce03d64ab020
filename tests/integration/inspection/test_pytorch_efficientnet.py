"""A checkpoint out of the world, in PyTorch's legacy format, read without PyTorch."""

from __future__ import annotations

import hashlib
import json

from uml_core.inspection import inspect, plugin
from uml_core.inspection.pytorch import read_checkpoint

FORMATS = tuple(plugin.uml_model_formats())
WORDS = {"F32": "float32", "I64": "int64"}
TOLD_BY_PYTORCH = "b2ccfc44273fe481f87ec0def1f09f15894df7a5a82f99458df38dd7c787861c"
"""SHA-256 of ``json.dumps(sorted((name, dtype, shape) …))`` over what ``torch.load`` of PyTorch 2.13 gives."""


def test_every_tensor_is_what_pytorch_says_of_it(efficientnet):
    weights = read_checkpoint(efficientnet).weights
    found = sorted((weight.name, WORDS[weight.dtype], list(weight.shape)) for weight in weights)
    assert (found[0], found[-1]) == (
        ("_blocks.0._bn1.bias", "float32", [32]),
        ("_fc.weight", "float32", [1000, 1280]),
    )
    assert hashlib.sha256(json.dumps(found).encode()).hexdigest() == TOLD_BY_PYTORCH


def test_the_card(efficientnet):
    card = inspect(efficientnet, FORMATS)
    assert (card.format, card.kind, card.hazards) == ("pytorch", "model", ("pickle",))
    assert (card.parameters, card.quantization, card.bits_per_weight) == (4_652_008, "FP32", 32)
    assert (card.size_bytes, card.missing, card.shape) == (efficientnet.stat().st_size, (), None)
    assert card.name == efficientnet.stem
