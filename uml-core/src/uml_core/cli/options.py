"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON to stdout, for scripts.")]
BackendOption = Annotated[
    str | None, typer.Option("--backend", metavar="NAME", help="The backend that loads it; see `uml plugins`.")
]
ContextOption = Annotated[
    int | None,
    typer.Option("--context-length", "--ctx", metavar="TOKENS", min=1, help="Tokens of context to load it with."),
]
ParallelOption = Annotated[
    int | None, typer.Option("--parallel", metavar="N", min=1, help="Sequences that it answers at once.")
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", metavar="N", min=1, max=1024, help="CPU threads; as `uml bench` learned.")
]
SpinOption = Annotated[
    bool | None,
    typer.Option(
        "--spin/--no-spin", help="Idle threads wait busily or asleep; as `uml bench` learned.", show_default=False
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", metavar="DEVICE", help="Where its layers go: `cpu`, `cuda`, `cuda:1`; as planned."),
]
CacheTypeOption = Annotated[
    str | None, typer.Option("--cache-type", metavar="TYPE", help="Number type of the KV cache: f16, q8_0; as planned.")
]
EngineOption = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="An option of the backend's own; may be said again."),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Load it although the plan says that it doesn't fit.")]
NoWaitOption = Annotated[bool, typer.Option("--no-wait", help="Only begin it; print the job's id and return.")]
