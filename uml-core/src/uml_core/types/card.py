"""What a model is, in facts that can be kept and compared: nothing of its weights, no long text."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from attrs import frozen

FileKind = Literal["model", "projector", "adapter", "imatrix", "other"]
LayerKind = Literal["full", "sliding", "latent", "recurrent", "none"]
Hazard = Literal["pickle", "remote-code"]


@frozen(kw_only=True)
class Layer:
    """What one layer of a model keeps of the past; lengths count elements, not bytes.

    ``full`` attention keeps ``kv_heads * (key_length + value_length)`` elements for each token, ``sliding`` the same
    for the last ``window`` tokens only. ``latent`` (MLA) keeps ``key_length`` elements for each token in all, and no
    values. ``recurrent`` keeps ``state_elements`` for a sequence of any length. ``none`` keeps nothing.
    ``weight_bytes`` is what its tensors take in the files, ``expert_bytes`` how much of that are experts of which only
    some work on each token; 0 where the files don't say which tensor belongs to which layer.
    """

    kind: LayerKind = "full"
    kv_heads: int = 0
    key_length: int = 0
    value_length: int = 0
    window: int | None = None
    state_elements: int = 0
    weight_bytes: int = 0
    expert_bytes: int = 0


@frozen(kw_only=True)
class Shape:
    """The dimensions that memory depends on, with one :class:`Layer` for each block; 0 where a model has no such thing.

    ``heads`` counts query heads, ``feed_forward_length`` is of one expert where there are ``experts``, of which
    ``experts_used`` work on each token. ``input_bytes`` is what the tensors of the token embedding take in the
    files, ``output_bytes`` those of the output layer and its norm; ``tied``: there is no output matrix, the
    embedding is used a second time; ``output_inside``: in the file the output lies between the embedding and the
    layers. What of the files is in neither, nor in a layer, belongs to no layer. ``type_bytes`` has the types of
    the matrices in the layers, experts' too, and of the output, each with its bytes, by GGUF's names (``Q4_K``):
    engines keep a second copy of some types, in another order. It is empty for other formats.
    """

    embedding_length: int = 0
    feed_forward_length: int = 0
    heads: int = 0
    vocabulary_size: int = 0
    experts: int = 0
    experts_used: int = 0
    input_bytes: int = 0
    output_bytes: int = 0
    tied: bool = False
    output_inside: bool = False
    type_bytes: tuple[tuple[str, int], ...] = ()
    layers: tuple[Layer, ...] = ()


@frozen(kw_only=True)
class ModelCard:
    """What a model is, as its files say.

    ``path`` is a file or a folder, ``files`` what has to be read to load it, of ``size_bytes`` in all. ``missing`` has
    the names of files that it needs and that are not there: with one of them it can't be loaded. ``parameters`` counts
    weights, ``bits_per_weight`` is the mean over them as they are stored, ``quantization`` the usual name of the scheme
    (``Q4_K_M``, ``gptq-4bit``, ``BF16``). ``context_length`` is in tokens, as trained. ``modalities`` are what it
    takes (``text``, ``image``, ``audio``), ``tasks`` the Hugging Face pipeline tags that its files speak for, the most
    fitting first. ``companions`` are projectors and adapters that belong to it. ``hazards`` say why loading it would
    run code out of its files.
    """

    path: Path
    format: str
    files: tuple[Path, ...]
    size_bytes: int
    kind: FileKind = "model"
    name: str | None = None
    architecture: str | None = None
    parameters: int | None = None
    context_length: int | None = None
    quantization: str | None = None
    bits_per_weight: float | None = None
    license: str | None = None
    shape: Shape | None = None
    modalities: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    has_tokenizer: bool = False
    has_chat_template: bool = False
    companions: tuple[Path, ...] = ()
    missing: tuple[str, ...] = ()
    hazards: tuple[Hazard, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every file is there that loading it needs."""
        return not self.missing
