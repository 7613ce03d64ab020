"""Find what a name stands for, and what was meant by one that stands for nothing."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from uml_core.errors import ModelNotFoundError, SettingsError
from uml_core.inspection.file import shown
from uml_core.settings import ModelSettings
from uml_core.types import StoredModel

NEAR = 3
MOST = 5
LONGEST = 200  # characters of a name that are compared with others; a request may hold millions
LATEST = ":latest"  # what Ollama's users leave out


@frozen
class Spelling:
    """One way to write the name of *model*; ``whole`` says that it names the model and not one of its variants."""

    text: str
    model: StoredModel
    whole: bool

    @property
    def last(self) -> str:
        return self.text.rpartition("/")[2]


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


def match(ref: str, models: Iterable[StoredModel]) -> list[StoredModel]:
    """Find the one model that *ref* means: in any case, by its last part, or by how one of these begins.

    :returns: nothing, or that one, or all variants of a model that was named without a variant
    :raises ModelNotFoundError: it could mean several models
    """
    wanted = ref.casefold()
    spellings = [spelling for model in models for spelling in _spellings(model)] if wanted else []
    tiers: tuple[Callable[[Spelling], bool], ...] = (
        lambda one: one.text == wanted and not one.whole,
        lambda one: one.text == wanted,
        lambda one: one.last == wanted,
        lambda one: one.text.startswith(wanted) or one.last.startswith(wanted),
    )
    for fits in tiers:
        if found := [spelling for spelling in spellings if fits(spelling)]:
            return _one(ref, found)
    return []


def _spellings(model: StoredModel) -> list[Spelling]:
    ids = [one.id for one in (model, *model.also)]
    texts = [*ids, *(id.removesuffix(LATEST) for id in ids)]
    if model.variant:
        texts.append(f"{model.name}:{model.variant}")
    names = {model.model_name} if model.variant else set()
    exact = {text.casefold(): Spelling(text.casefold(), model, whole=False) for text in texts}
    return [*exact.values(), *(Spelling(name.casefold(), model, whole=True) for name in names - exact.keys())]


def _one(ref: str, found: Sequence[Spelling]) -> list[StoredModel]:
    exact = {spelling.model.id: spelling.model for spelling in found if not spelling.whole}
    wholes = {spelling.model.id: spelling.model for spelling in found if spelling.whole}
    candidates = {**exact, **wholes}
    if len(exact) == 1 and not wholes.keys() - exact.keys():
        return list(exact.values())
    if wholes and len({model.model_name for model in candidates.values()}) == 1:
        return list(candidates.values())
    raise ModelNotFoundError(f"'{shown(ref)}' could be {_either(sorted(candidates)[:MOST])}; write more of the name")


def looks_like_path(ref: str) -> bool:
    """Whether *ref* was meant as a file: absolute, with a separator, or with the suffix of a model file."""
    return Path(ref).is_absolute() or "/" in ref or "\\" in ref or ref.startswith("~") or ref.lower().endswith(".gguf")


def near(ref: str, names: Iterable[str]) -> str:
    """A question with the names that are most like *ref*; empty if none is."""
    spellings = {spelling: name for name in names for spelling in (name.rpartition("/")[2].casefold(), name.casefold())}
    close = difflib.get_close_matches(ref[:LONGEST].casefold(), spellings, n=NEAR, cutoff=0.5)
    found = list(dict.fromkeys(spellings[spelling] for spelling in close))
    return f"did you mean {_either(found)}?" if found else ""


def _either(names: Sequence[str]) -> str:
    quoted = [f"'{shown(name)}'" for name in names]
    return " or ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))
