"""The small files that lie beside a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from uml_core.errors import InvalidModelFileError

_IN_A_FOLDER = "onnx"
"""Exports lie in a folder of their own, beside the files of the model that they were made of."""


def model_folder(model: Path) -> Path:
    """The folder with the configuration of *model*, which is a folder itself, or a file."""
    folder = model if model.is_dir() else model.parent
    return folder.parent if folder.name == _IN_A_FOLDER and not (folder / "config.json").exists() else folder


def read_json(file: Path, kind: type) -> Any:
    """The JSON in *file*; None if there is no such file.

    :raises InvalidModelFileError: it is not JSON, or of another *kind*
    """
    try:
        value = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidModelFileError(f"'{file}' can't be read as JSON: {error}") from None
    if not isinstance(value, kind):
        raise InvalidModelFileError(f"'{file}' is no JSON {'object' if kind is dict else 'list'}")
    return value
