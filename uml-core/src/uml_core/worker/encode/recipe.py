"""How a model's own files say that a text becomes a vector: the modules of sentence-transformers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from attrs import frozen

from uml_core.errors import InvalidModelFileError
from uml_core.worker.encode.files import model_folder, read_json
from uml_core.worker.encode.layers import Dense, Layer, unit
from uml_core.worker.encode.pooling import WAYS

_FLAGS = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


@frozen(kw_only=True)
class Recipe:
    """What to do with hidden states, or with vectors.

    ``ways`` are those of :func:`pool`; ``layers`` come after them. ``prompt`` is put before every text, and is pooled
    too unless ``pools_prompt`` is false. ``longest`` is the most tokens that the model was made for, None if only its
    configuration says. Without any files: the mean, of length 1.
    """

    ways: tuple[str, ...] = ("mean",)
    layers: tuple[Layer, ...] = (unit,)
    prompt: str = ""
    pools_prompt: bool = True
    longest: int | None = None

    @classmethod
    def of(cls, model: Path) -> Self:
        """Read what lies beside *model*, which is a folder or a file.

        :raises InvalidModelFileError: the files ask for what can't be done here
        """
        folder = model_folder(model)
        modules = read_json(folder / "modules.json", list)
        parts = _lone_pooling(folder) if modules is None else dict(_parts(folder, modules))
        bounds = read_json(folder / "sentence_bert_config.json", dict) or {}
        longest = bounds.get("max_seq_length")
        return cls(**parts, prompt=_prompt(folder), longest=longest if isinstance(longest, int) else None)


def _parts(folder: Path, modules: list[Any]) -> Iterator[tuple[str, Any]]:
    layers: list[Layer] = []
    for module in modules:
        name, place = _module(folder, module)
        config = read_json(place / "config.json", dict) or {}
        match name:
            case "Transformer":
                continue
            case "Pooling":
                yield from _pooling(config, place).items()
            case "Dense":
                layers.append(Dense.read(place, config))
            case "Normalize":
                layers.append(unit)
            case _:
                raise InvalidModelFileError(
                    f"'{folder / 'modules.json'}' asks for a '{name[:64]}', which the embedding layer lacks"
                )
    yield "layers", tuple(layers)


def _module(folder: Path, module: object) -> tuple[str, Path]:
    type, path = (module.get("type"), module.get("path", "")) if isinstance(module, dict) else (None, None)
    if not isinstance(type, str) or not isinstance(path, str):
        raise InvalidModelFileError(f"'{folder / 'modules.json'}' is no list of modules")
    place = folder / path
    if not place.resolve().is_relative_to(folder.resolve()):
        raise InvalidModelFileError(f"'{folder / 'modules.json'}' names '{path[:64]}', which lies outside of the model")
    return type.rpartition(".")[2], place


def _lone_pooling(folder: Path) -> dict[str, Any]:
    place = folder / "1_Pooling"
    config = read_json(place / "config.json", dict)
    return {} if config is None else _pooling(config, place)


def _pooling(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    said = config.get("pooling_mode")
    named = [said] if isinstance(said, str) else said or [way for way, flag in _FLAGS.items() if config.get(flag)]
    if not named or not all(way in WAYS for way in named):
        raise InvalidModelFileError(f"'{folder / 'config.json'}' has a way of pooling that is not known: {named}")
    return {"ways": tuple(named), "pools_prompt": config.get("include_prompt") is not False}


def _prompt(folder: Path) -> str:
    config = read_json(folder / "config_sentence_transformers.json", dict) or {}
    prompts, name = config.get("prompts"), config.get("default_prompt_name")
    prompt = prompts.get(name) if isinstance(prompts, dict) and isinstance(name, str) else None
    return prompt if isinstance(prompt, str) else ""
