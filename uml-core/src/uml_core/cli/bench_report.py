"""What a measurement found, as JSON and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from uml_core.bench.figures import NUMBERS, Figures, Spread
from uml_core.cli.output import human_bytes, plain, print_table, say
from uml_core.errors import UMLError
from uml_core.planning.learned import named
from uml_core.types import Match

if TYPE_CHECKING:
    from uml_core.bench.bench import Bench
    from uml_core.bench.surroundings import Surroundings
    from uml_core.cli.bench_scope import Subject

BACKENDS = ("BACKEND", "LOAD", "FIRST TOKEN", "READS", "WRITES", "MEMORY", "DEVICE")
THREADS = ("BACKEND", "THREADS", "WRITES", "BESIDE A BUSY PROCESS")
DIGITS = 4


def report(subject: Subject, run: Bench, surroundings: Surroundings) -> dict[str, Any]:
    """Everything that was found; every number as its median, least and most, in seconds, tokens a second, bytes."""
    scope = run.scope
    others = [answer for answer in subject.answers if not isinstance(answer.answer, Match)]
    return {
        "model": scope.model_id,
        "machine": scope.machine,
        "others": {"cores": surroundings.used_cores, "load_average": surroundings.load_average},
        "runs": scope.effort.runs,
        "backends": [_view(one) for one in run.usual],
        "threads": _pairs(run),
        "rejected": {answer.name: answer.reason for answer in others},
        "failed": dict(run.failures),
        "chosen": _chosen(subject),
    }


def _view(one: Figures) -> dict[str, Any]:
    numbers = {name: Spread.of(getattr(one, name)) for name in NUMBERS}
    rounded = {
        name: None if spread is None else [float(f"{number:.{DIGITS}g}") for number in spread.all]
        for name, spread in numbers.items()
    }
    return {"backend": one.backend, "threads": one.threads, "spin": one.spin, **rounded}


def _pairs(run: Bench) -> list[dict[str, Any]]:
    """Each pair that was tried, alone and busy."""
    found: dict[tuple[str, int, bool | None], dict[str, Any]] = {}
    tried = {(one.backend, one.threads, one.spin) for one in run.figures if one.busy}
    for one in run.figures:
        key = (one.backend, one.threads, one.spin)
        if key in tried or len(run.figures) > len(run.usual):
            row = found.setdefault(key, {"backend": key[0], "threads": key[1], "spin": key[2]})
            row["busy" if one.busy else "idle"] = _view(one)["decode_tokens_per_s"]
    return [found[key] for key in sorted(found, key=lambda key: (key[0], key[1], key[2] is not None))]


def _chosen(subject: Subject) -> dict[str, Any] | None:
    """What a load takes from now on."""
    from uml_core.types import LoadRequest

    try:
        plan = subject.planner.plan(LoadRequest(model=subject.ref), allow_path=True)
    except UMLError:  # it is said by whoever loads it
        return None
    return {"backend": plan.backend, "threads": plan.threads, "spin": plan.spin, "reason": plan.reason}


def tell(said: Mapping[str, Any]) -> None:
    """Write the tables to standard output, and what follows from them."""
    print_table(BACKENDS, map(_backend_row, said["backends"]))
    if said["threads"]:
        print()
        print_table(THREADS, map(_threads_row, said["threads"]))
    for name, reason in {**said["rejected"], **said["failed"]}.items():
        say(plain(f"{name}: {reason}"), style="dim")
    if chosen := said["chosen"]:
        how = named((chosen["threads"], chosen["spin"]))
        say(plain(f"from now on {said['model']} is loaded with {chosen['backend']} and {how}: {chosen['reason']}"))


def _backend_row(view: Mapping[str, Any]) -> Sequence[str]:
    return (
        str(view["backend"]),
        _seconds(view["load_s"]),
        _seconds(view["first_token_s"]),
        _speed(view["prompt_tokens_per_s"]),
        _speed(view["decode_tokens_per_s"]),
        _size(view["memory_bytes"]),
        _size(view["device_bytes"]),
    )


def _threads_row(row: Mapping[str, Any]) -> Sequence[str]:
    threads = named((row["threads"], row["spin"]))
    return (str(row["backend"]), threads, _speed(row.get("idle")), _speed(row.get("busy")))


def _seconds(spread: Sequence[float] | None) -> str:
    return "" if spread is None else f"{spread[0]:.2f} s{_range(spread, '.2f')}"


def _speed(spread: Sequence[float] | None) -> str:
    return "" if spread is None else f"{spread[0]:.1f} tokens/s{_range(spread, '.1f')}"


def _size(spread: Sequence[float] | None) -> str:
    return "" if spread is None else human_bytes(round(spread[0]))


def _range(spread: Sequence[float], digits: str) -> str:
    _, least, most = spread
    return "" if least == most else f" ({least:{digits}}-{most:{digits}})"
