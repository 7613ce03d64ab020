"""The few calls in PyTorch's pickles that describe tensors, understood by their names.

Source: ``torch/_utils.py`` and ``torch/serialization.py`` of PyTorch 2.13.
"""

from __future__ import annotations

from typing import Any

from uml_core.inspection.pytorch.values import DTYPES, Global, Made, Storage, Tensor

KEY_CHARACTERS = 200
DIMENSIONS = 16
LONGEST = 2**63
VIEWS = ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_qtensor")
"""Storage, offset, shape and stride come first in their arguments."""

FIRST = ("_rebuild_parameter", "_rebuild_parameter_with_state")
"""They give their first argument back as a parameter."""


def rebuild(by: object, given: object) -> Any:
    """What calling *by* with the tuple *given* would make, described."""
    if isinstance(by, Global) and isinstance(given, tuple):
        if by.module.startswith("torch") and (found := _of_torch(by.name, given)) is not None:
            return found
        if by.name in ("OrderedDict", "dict") and by.module in ("collections", "builtins", "__builtin__"):
            return _dict(given)
    return Made(by, [given])


def stored(given: object) -> Storage | None:
    """The storage that a persistent id names: ``("storage", class, key, device, elements, …)``."""
    match given:
        case ("storage", Global(_, name), str(key), _, int(elements), *_):
            if 0 <= elements < LONGEST:
                return Storage(DTYPES.get(name, "U8"), key[:KEY_CHARACTERS], elements)
    return None


def _of_torch(name: str, given: tuple[Any, ...]) -> Any:
    if name in FIRST and given:
        return given[0]
    if name == "_rebuild_from_type_v2" and len(given) > 2 and isinstance(given[0], Global) and given[0].name in VIEWS:
        return rebuild(given[0], given[2])
    return _view(name, given) if name in VIEWS else None


def _view(name: str, given: tuple[Any, ...]) -> Tensor | None:
    match given:
        case (Storage() as storage, int(offset), tuple(shape), tuple(stride), *rest):
            if len(shape) == len(stride) <= DIMENSIONS and 0 <= offset < LONGEST and _sane(shape) and _sane(stride):
                own = rest[2] if name == "_rebuild_tensor_v3" and len(rest) > 2 else None
                dtype = DTYPES.get(own.name, "U8") if isinstance(own, Global) else storage.dtype
                return Tensor(storage, dtype, offset, shape, stride)
    return None


def _sane(numbers: tuple[Any, ...]) -> bool:
    return all(type(number) is int and 0 <= number < LONGEST for number in numbers)


def _dict(given: tuple[Any, ...]) -> dict[Any, Any]:
    pairs = given[0] if given and isinstance(given[0], (list, tuple)) else ()
    return {pair[0]: pair[1] for pair in pairs if isinstance(pair, (list, tuple)) and len(pair) == 2 and _key(pair[0])}


def _key(key: object) -> bool:
    return isinstance(key, (str, int))
