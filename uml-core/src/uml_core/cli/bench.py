"""``uml bench``: measure a model on this machine, and remember what does best."""

from __future__ import annotations

from typing import Annotated

import typer

from uml_core.cli.options import ContextOption, JsonOption


def command(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="The model's id, alias or file; see `uml list`.", show_default=False)
    ],
    *,
    backend: Annotated[
        list[str] | None,
        typer.Option("--backend", metavar="NAME", help="Only this backend; may be said several times."),
    ] = None,
    runs: Annotated[int, typer.Option("--runs", metavar="N", min=1, max=50, help="Loads with each backend.")] = 3,
    quick: Annotated[bool, typer.Option("--quick", help="One run with short texts; rougher figures.")] = False,
    threads: Annotated[
        bool, typer.Option("--threads/--no-threads", help="Also learn how many threads do best.")
    ] = True,
    all: Annotated[bool, typer.Option("--all", help="Learn that for each backend, not only the fastest.")] = False,
    context_length: ContextOption = None,
    json: JsonOption = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Don't ask before a gateway's model is unloaded meanwhile.")
    ] = False,
) -> None:
    """Measure a model with each backend that can run it.

    How long it loads and thinks, how fast it reads and writes, and what memory it takes; then with more and fewer
    threads, alone and beside a busy process. What does best is used from now on. A running gateway measures, and gets
    its model back; Ctrl-C keeps what was measured until then.
    """
    from uml_core.bench.scope import Effort
    from uml_core.cli.bench_command import Wanted, bench

    effort = Effort.quick() if quick else Effort(runs=runs)
    bench(
        Wanted(
            model=model,
            backends=tuple(backend or ()),
            context_length=context_length,
            effort=effort,
            learns=threads,
            all_learn=all,
            agreed=yes,
            json=json,
        )
    )
