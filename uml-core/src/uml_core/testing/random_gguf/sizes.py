"""How large a model of random weights is."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Sizes:
    """What :func:`write_random_gguf` may be told, and how large a model is that is told nothing.

    ``weights`` is the type of all matrices, ``experts_weights`` that of experts if it is another one, by GGUF's names;
    each length must be a multiple of its block (32 of ``Q8_0`` and ``Q4_0``, 256 of ``Q4_K``). ``feed_forward`` is of
    one expert where there are experts, ``dense`` counts the first layers that have none. ``tied``: there is no output
    matrix. Latent attention has the ranks, ``rope_length``, ``value_length`` and ``absorbed``, without which keys and
    values are kept as usual; a state space ``state`` to
    ``attention_every``, the latter where only each so-manieth layer attends.
    """

    layers: int = 4
    width: int = 256
    heads: int = 8
    kv_heads: int = 2
    head_length: int = 64
    feed_forward: int = 512
    vocabulary: int = 1024
    context_length: int = 131_072
    window: int = 128
    tied: bool = False
    weights: str = "Q8_0"

    experts: int = 8
    experts_used: int = 2
    experts_weights: str | None = None
    dense: int = 1

    query_rank: int = 192
    key_value_rank: int = 128
    rope_length: int = 32
    value_length: int = 64
    absorbed: bool = True

    state: int = 32
    inner: int = 512
    kernel: int = 4
    state_heads: int = 8
    groups: int = 1
    attention_every: int = 4

    @property
    def plain_queries(self) -> bool:
        """Whether DeepSeek's queries are made by one matrix: llama.cpp knows its small models by their layers."""
        return self.layers in (26, 27)
