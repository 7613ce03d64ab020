"""Families of models that a configuration doesn't describe in itself, by ``model_type``."""

from __future__ import annotations

ENCODERS = frozenset(
    (
        *("bert", "roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "distilbert", "mpnet", "electra"),
        *("albert", "deberta", "deberta-v2", "modernbert", "nomic-bert", "new", "gte", "jina-bert", "esm"),
        *("ernie", "xlm", "mobilebert", "convbert", "squeezebert", "layoutlm", "layoutlmv2", "layoutlmv3"),
        *("longformer", "big-bird", "eurobert", "neobert", "vit", "deit", "beit", "swin", "swinv2", "dinov2"),
        *("convnext", "convnextv2", "resnet", "mobilevit", "segformer", "clip", "siglip", "siglip2"),
        *("clip-vision-model", "siglip-vision-model", "blip", "owlvit", "owlv2", "sam", "detr"),
        *("conditional-detr", "deformable-detr", "rt-detr", "rt-detr-v2", "yolos", "table-transformer", "dpt"),
        *("wav2vec2", "wav2vec2-bert", "wavlm", "hubert", "unispeech", "sew", "data2vec-audio"),
        *("audio-spectrogram-transformer", "vits", "clap", "efficientnet", "mobilenet-v1", "mobilenet-v2"),
        *("regnet", "depth-anything", "grounding-dino"),
    )
)
"""With hyphens: they read their input at once and keep nothing of it."""

PICTURES = frozenset(
    (
        *("vit", "deit", "beit", "swin", "swinv2", "dinov2", "dinov3_vit", "convnext", "convnextv2", "resnet"),
        *("efficientnet", "siglip_vision_model", "clip_vision_model", "vit_mae", "hiera", "regnet"),
    )
)
"""They take pictures and nothing else."""
