"""Find what a name stands for, and what was meant by one that stands for nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path

from uml_core.errors import ModelNotFoundError, SettingsError
from uml_core.inspection.file import shown
from uml_core.settings import ModelSettings

NEAR = 3
MOST = 5
LONGEST = 200  # characters of a name that are compared with others; a request may hold millions


def aliases(models: Mapping[str, ModelSettings]) -> dict[str, str]:
    """The ids by their aliases in ``uml.toml``.

    :raises SettingsError: two models have the same alias
    """
    found: dict[str, str] = {}
    for id, settings in models.items():
        if settings.alias and found.setdefault(settings.alias, id) != id:
            raise SettingsError(
                f"the alias '{settings.alias}' is given to both '{found[settings.alias]}' and '{id}' in uml.toml; "
                "give one of them another"
            )
    return found


def match(ref: str, ids: Iterable[str]) -> str | None:
    """Find the one id that *ref* means: in any case, by its last part, or by how one of these begins.

    :raises ModelNotFoundError: it could mean several
    """
    wanted = ref.casefold()
    spellings = [(id, id.casefold(), id.casefold().rpartition("/")[2]) for id in ids if wanted]
    for found in (
        [id for id, whole, _ in spellings if whole == wanted],
        [id for id, _, last in spellings if last == wanted],
        [id for id, whole, last in spellings if whole.startswith(wanted) or last.startswith(wanted)],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            raise ModelNotFoundError(f"'{shown(ref)}' could be {_either(found[:MOST])}; write more of the name")
    return None


def looks_like_path(ref: str) -> bool:
    """Whether *ref* was meant as a file: absolute, with a separator, or with the suffix of a model file."""
    return Path(ref).is_absolute() or "/" in ref or "\\" in ref or ref.startswith("~") or ref.lower().endswith(".gguf")


def near(ref: str, names: Iterable[str]) -> str:
    """A question with the names that are most like *ref*; empty if none is."""
    spellings = {spelling: name for name in names for spelling in (name.rpartition("/")[2].casefold(), name.casefold())}
    close = difflib.get_close_matches(ref[:LONGEST].casefold(), spellings, n=NEAR, cutoff=0.5)
    found = list(dict.fromkeys(spellings[spelling] for spelling in close))
    return f"did you mean {_either(found)}?" if found else ""


def _either(names: list[str]) -> str:
    quoted = [f"'{shown(name)}'" for name in names]
    return " or ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))
