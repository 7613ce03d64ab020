"""``genai_config.json``: which graphs a model has, and its dimensions.

The keys are those of https://onnxruntime.ai/docs/genai/reference/config.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from uml_core.errors import InvalidModelFileError
from uml_core.inspection.file import shown
from uml_core.inspection.huggingface.facts import Facts
from uml_core.inspection.huggingface.folder import plain
from uml_core.inspection.json_file import read_object
from uml_core.types import Layer, Shape

CONFIG = "genai_config.json"
CONFIG_BYTES = 2**20
PARTS = ("decoder", "encoder", "encoder_decoder_init", "embedding", "vision", "speech")
NAMES = ("filename", "config_filename", "adapter_filename")
GRAPH = ".onnx"
LAYERS = 4_096
FILES = 256
TYPES = {
    "whisper": ("automatic-speech-recognition",),
    "nemotron_speech": ("automatic-speech-recognition",),
    "parakeet_tdt": ("automatic-speech-recognition",),
    "marian-ssru": ("translation", "text2text-generation"),
}
"""What models of a type do, unless it follows from their parts."""


@frozen(kw_only=True)
class Config:
    """What the file says: ``graphs`` and ``others`` are names of files beside it, ``runs_code`` is about a library."""

    type: str
    context_length: int | None
    graphs: tuple[str, ...]
    others: tuple[str, ...]
    tasks: tuple[str, ...]
    shape: Shape | None
    runs_code: bool


def read_config(folder: Path) -> Config:
    """Read the configuration in *folder*.

    :raises InvalidModelFileError: it can't be read, has no model in it, or names files that are not beside it
    """
    model = Facts(CONFIG, read_object(folder / CONFIG, most_bytes=CONFIG_BYTES)).part("model")
    decoder = model.part("decoder") if model else None
    if model is None or decoder is None:
        raise InvalidModelFileError(
            f"'{CONFIG}' of '{shown(folder.name)}' tells of no model with a decoder; build it again"
        )
    type = model.text("type") or ""
    names = tuple(dict.fromkeys(name for part in _parts(model) for name in _names(part)))
    graphs = tuple(name for name in names if name.endswith(GRAPH))
    if not graphs:
        raise InvalidModelFileError(f"'{CONFIG}' of '{shown(folder.name)}' names no graph; write it again")
    return Config(
        type=type,
        context_length=model.count("context_length") or None,
        graphs=graphs,
        others=tuple(name for name in names if name not in graphs),
        tasks=_tasks(type, model),
        shape=_shape(model, decoder),
        runs_code=any(_loads_library(part) for part in _parts(model)),
    )


def _parts(model: Facts) -> Iterator[Facts]:
    """The parts of the model, and the stages that one may be made of."""
    for key in PARTS:
        if part := model.part(key):
            yield part
            for stages in part.entries("pipeline") or []:
                told = Facts(CONFIG, stages if isinstance(stages, dict) else {})
                yield from filter(None, (told.part(name) for name in told.values))


def _loads_library(part: Facts) -> bool:
    """Whether onnxruntime would load operators out of a library: native code that the file names."""
    options = part.part("session_options")
    return bool(options and options.has("custom_ops_library"))


def _names(part: Facts) -> Iterator[str]:
    """The names of files that *part* has: an engine opens them wherever they lead."""
    for key in NAMES:
        name = part.values.get(key)
        if name is None or name == "":
            continue
        if not plain(name):
            raise InvalidModelFileError(
                f"'{CONFIG}' names '{shown(str(name)[:200])}', which can't be a file beside it; don't load this model"
            )
        yield str(name)


def _tasks(type: str, model: Facts) -> tuple[str, ...]:
    if type in TYPES:
        return TYPES[type]
    sees, hears = model.has("vision"), model.has("speech")
    found = [task for task, has in (("image-text-to-text", sees), ("audio-text-to-text", hears)) if has]
    return (*found, "text-generation")


def _window(decoder: Facts) -> int | None:
    """How many tokens every layer keeps; a window of the inputs only, or of some layers, says nothing of that."""
    sliding = decoder.part("sliding_window")
    if sliding is None or sliding.has("layers") or sliding.flag("slide_key_value_cache") is False:
        return None
    return sliding.count("window_size") or None


def _shape(model: Facts, decoder: Facts) -> Shape | None:
    """The dimensions of the decoder; its keys and values have the same length."""
    count, heads, length = (decoder.count(key) for key in ("num_hidden_layers", "num_attention_heads", "head_size"))
    kv_heads = decoder.count("num_key_value_heads") or heads
    if not count or not kv_heads or not length or count > LAYERS:
        return None
    window = _window(decoder)
    layer = Layer(
        kind="sliding" if window else "full",
        kv_heads=kv_heads,
        key_length=length,
        value_length=length,
        window=window,
    )
    return Shape(
        embedding_length=decoder.count("hidden_size") or 0,
        heads=heads or 0,
        vocabulary_size=model.count("vocab_size") or 0,
        layers=(layer,) * count,
    )
