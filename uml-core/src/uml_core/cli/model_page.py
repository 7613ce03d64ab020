"""The page of ``uml show``: everything about one model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from uml_core.cli.ago import ago
from uml_core.cli.columns import Column, Row
from uml_core.cli.dimensions import cache_in_words, layers_in_words
from uml_core.cli.model_table import is_loaded, state
from uml_core.cli.output import human_bytes, human_count, human_seconds, plain
from uml_core.cli.page import Line
from uml_core.cli.tasks import word_of

View = Mapping[str, Any]
MOST_FILES = 6
HAZARDS = {
    "pickle": "its weights are pickles: to load them can run code out of the file, so UML refuses it",
    "remote-code": "it brings Python code of its own, which UML does not run",
}
MEASURED = (
    Column("MEASURED"),
    Column("BACKEND"),
    Column("ENGINE", 6),
    Column("THREADS", 3, right=True),
    Column("SPIN", 5),
    Column("CONTEXT", 4, right=True),
    Column("LOAD", 1, right=True),
    Column("FIRST TOKEN", 2, right=True),
    Column("PROMPT/S", 1, right=True),
    Column("TOKENS/S", right=True),
    Column("MEMORY", 1, right=True),
)


def lines(model: View, places: Sequence[View]) -> Iterator[Line]:
    """What is known, most asked first.

    :param places: where on this machine it lies, its own place first
    """
    yield from _state(model)
    yield from _nature(model)
    yield from _memory(model)
    yield from _names(model)
    yield from _places(model, places)
    yield from _files(model)
    yield from _backends(model)


def measured(model: View) -> list[Row]:
    """A row for each measurement, newest first."""
    return [[plain(cell) for cell in _measurement(profile)] for profile in model.get("profiles") or ()]


def _state(model: View) -> Iterator[Line]:
    if model.get("error"):
        yield "unreadable", Text(model["error"], style="red")
    if model.get("missing"):
        names = ", ".join(model["missing"])
        yield "incomplete", Text(f"it can't be loaded, because it lacks {names}", style="yellow")
    for hazard in model.get("hazards") or ():
        yield "hazard", Text(f"{hazard}: {HAZARDS.get(hazard, 'see the documentation')}", style="yellow")
    words = [state(model)] if is_loaded(model) else []
    words += ["pinned"] if model.get("pinned") else []
    if words:
        yield "status", Text(", ".join(words), style="green")


def _nature(model: View) -> Iterator[Line]:
    bits = model.get("bits_per_weight")
    facts = (
        "" if model.get("kind") in {None, "model"} else f"{model['kind']} of a model",
        "/".join(filter(None, (model.get("format"), model.get("architecture")))),
        f"{human_count(model['parameters'])} parameters" if model.get("parameters") else "",
        model.get("quantization") or "",
        f"{bits:.2f} bits a weight" if bits else "",
    )
    if any(facts):
        yield "what", ", ".join(filter(None, facts))
    tasks = [f"{word_of(tag)} ({tag})" if word_of(tag) != tag else tag for tag in model.get("tasks") or ()]
    if tasks:
        takes = ", ".join(model.get("modalities") or ())
        yield "does", ", ".join(tasks) + (f"; takes {takes}" if takes else "")
    if model.get("format"):
        yield (
            "brings",
            f"{_has(model, 'has_tokenizer', 'tokenizer')}, {_has(model, 'has_chat_template', 'chat template')}",
        )
    if model.get("license"):
        yield "licence", model["license"]


def _has(model: View, fact: str, name: str) -> str:
    return f"{'a' if model.get(fact) else 'no'} {name}"


def _memory(model: View) -> Iterator[Line]:
    needs = f", needs about {human_bytes(model['needs_bytes'])} of memory" if model.get("needs_bytes") else ""
    yield "size", f"{human_bytes(model.get('size_bytes'))}{needs}"
    if model.get("context_length"):
        yield "context", f"{model['context_length']:,} tokens, as trained"
    layers = (model.get("shape") or {}).get("layers") or ()
    if layers:
        yield "layers", layers_in_words(layers)
    experts = (model.get("shape") or {}).get("experts")
    if experts:
        yield "experts", f"{experts}, of which {model['shape'].get('experts_used', 0)} work on each token"
    if cache := cache_in_words(layers):
        yield "KV cache", cache


def _names(model: View) -> Iterator[Line]:
    if model.get("aliases"):
        yield "aliases", ", ".join(model["aliases"])
    usage = model.get("usage") or {}
    facts = [_count(usage.get(name) or 0, name) for name in ("loads", "requests")]
    facts += [f"last {ago(usage['last_used'])}" if usage.get("last_used") else ""]
    if any(facts):
        yield "used", ", ".join(filter(None, facts))


def _count(count: int, name: str) -> str:
    return f"{count:,} {name.removesuffix('s') if count == 1 else name}" if count else ""


def _places(model: View, places: Sequence[View]) -> Iterator[Line]:
    for number, place in enumerate(places or [model, *(model.get("also") or ())]):
        known = f" as {place['id']}" if place["id"] != model["id"] else ""
        path = f"  {place['path']}" if place.get("path") else ""
        yield "" if number else "where", f"{place['store']}{known}{path}"


def _files(model: View) -> Iterator[Line]:
    files = [(file, "") for file in model.get("files") or ()]
    files += [(file, " (belongs to it)") for file in model.get("companions") or ()]
    for number, (file, what) in enumerate(files[:MOST_FILES]):
        yield "" if number else "files", f"{human_bytes(file.get('size_bytes')):>7}  {file['name']}{what}"
    if len(files) > MOST_FILES:
        yield "", f"and {len(files) - MOST_FILES} more"


def _backends(model: View) -> Iterator[Line]:
    for number, backend in enumerate(model.get("backends") or ()):
        can = backend.get("level") is not None
        loads = can and not number
        said = f"{backend['name']}{' would load it' if loads else ''}: {backend['reason']}"
        yield "" if number else "backends", Text(said, style="green" if loads else "" if can else "dim")


def _measurement(profile: View) -> Iterator[str]:
    spin = profile.get("spin")
    yield ago(profile.get("measured")) + (" (busy)" if profile.get("busy") else "")
    yield profile["backend"]
    yield str(profile.get("engine") or "")
    yield str(profile.get("threads") or "")
    yield "" if spin is None else "yes" if spin else "no"
    yield str(profile.get("context_length") or "")
    yield from (_seconds(profile.get(name)) for name in ("load_s", "first_token_s"))
    yield from (_speed(profile.get(name)) for name in ("prompt_tokens_per_s", "decode_tokens_per_s"))
    yield human_bytes(profile["memory_bytes"]) if profile.get("memory_bytes") else ""


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.2f} s" if seconds < 1 else human_seconds(seconds)


def _speed(tokens_per_s: float | None) -> str:
    return f"{tokens_per_s:.1f}" if tokens_per_s else ""
