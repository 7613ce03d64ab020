"""What GGUF headers leave to the engine: the habits of architectures, as llama.cpp has them (its ``src/models``).

An architecture that isn't named here is read by its header alone: full attention in every layer that has key-value
heads, sliding where the file has a window and says for each layer whether it slides.
"""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Sliding:
    """Of *every* layers all but one slide, the last one or, with *full_first*, the first; with 0 all do.

    The window is *usual* tokens wide if the file doesn't say it, and *always* is what it is even if it does; a file
    that says 0 has none. With *layers*, only the model of so many layers slides.
    """

    every: int
    full_first: bool = False
    usual: int | None = None
    always: int | None = None
    layers: int | None = None


SLIDING = {
    "afmoe": Sliding(every=4),
    "cohere2": Sliding(every=4),
    "cohere2moe": Sliding(every=4, full_first=True),
    "exaone-moe": Sliding(every=4, usual=128),
    "exaone4": Sliding(every=4, usual=4096, layers=64),
    "gemma2": Sliding(every=2, usual=4096),
    "gemma3": Sliding(every=6),
    "gemma3n": Sliding(every=5),
    "gpt-oss": Sliding(every=2),
    "laguna": Sliding(every=4, full_first=True),
    "lfm2": Sliding(every=0),
    "llama4": Sliding(every=4, usual=8192, always=8192),
    "mellum": Sliding(every=4),
    "muse-glimmer": Sliding(every=4),
    "olmo2": Sliding(every=4),  # and OLMo 3, which has the same name
    "plamo3": Sliding(every=8),
    "smallthinker": Sliding(every=4, full_first=True, always=4096),
}
"""Where layers slide though the file may not say which. Others, such as phi3, name a window that no engine uses."""

RECURRENT = {"arwkv7", "mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7"}
"""Every layer keeps a state, none keeps keys and values."""

FULL_EVERY = {"minimax-01": 8, "qwen35": 4, "qwen35moe": 4, "qwen3next": 4, "qwen4exp": 4}
"""Of so many layers the last has attention and the others keep a state, unless the file says it otherwise."""

BOTH = {"falcon-h1"}
"""Every layer has attention and a state."""

STATE_WITHOUT_FEED_FORWARD = {"nemotron_h", "nemotron_h_moe"}
"""A layer without key-value heads keeps a state only if it has no feed-forward network either."""

KEYS_FROM_START = {"gemma3n": 20}
"""The first layers have keys and values of their own, the others use theirs."""

DIFFUSION = {"dream", "llada", "llada-moe", "rnd1"}
ENCODERS = {
    "bert",
    "eurobert",
    "gemma-embedding",
    "jina-bert-v2",
    "jina-bert-v3",
    "modern-bert",
    "neo-bert",
    "nomic-bert",
    "nomic-bert-moe",
}
KEEPING_NOTHING = ENCODERS | DIFFUSION | {"wavtokenizer-dec"}
"""They read all tokens at once, every time."""

EMBEDDERS = ENCODERS | {"llama-embed", "t5encoder"}
DRAFTERS = {"dflash", "eagle3", "gemma4-assistant"}
"""They guess for a larger model and can't do anything alone."""

OTHER_TASKS = {"pockettts": "text-to-speech", "qwen3tts": "text-to-speech", "wavtokenizer-dec": None}
