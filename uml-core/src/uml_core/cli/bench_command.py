"""What ``uml bench`` does: agree, measure, remember, tell."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from uml_core.bench.bench import Bench
from uml_core.bench.scope import Effort
from uml_core.bench.surroundings import look_around
from uml_core.cli.bench_progress import measuring
from uml_core.cli.bench_report import report, tell
from uml_core.cli.bench_scope import Subject, scope_of
from uml_core.cli.gateway import live_client
from uml_core.cli.interrupt import ends_in_order, impatient
from uml_core.cli.output import ask, plain, print_json, say
from uml_core.cli.session import GatewaySession, Session
from uml_core.errors import BadRequestError, NoBackendError, UMLError
from uml_core.settings import read_settings
from uml_core.types import LoadRequest

if TYPE_CHECKING:
    from uml_core.bench.rig import Running
    from uml_core.settings import Settings


@frozen(kw_only=True)
class Wanted:
    """What the command line said."""

    model: str
    backends: Sequence[str]
    context_length: int | None
    effort: Effort
    learns: bool
    all_learn: bool
    agreed: bool
    json: bool


def bench(wanted: Wanted) -> None:
    """Measure, print the tables, remember.

    :raises NoBackendError: no backend could be measured
    :raises UMLError: there is no such model, or somebody else used the gateway meanwhile
    """
    settings = read_settings()
    with ends_in_order(), _session(settings) as session:
        subject = Subject.find(settings, wanted.model, over_http=isinstance(session, GatewaySession))
        scope = scope_of(
            subject,
            backends=wanted.backends,
            context_length=wanted.context_length,
            effort=wanted.effort,
            learns=wanted.learns,
            all_learn=wanted.all_learn,
        )
        before = session.running()
        _agree(before, agreed=wanted.agreed)
        surroundings = look_around()
        say(f"{plain(scope.machine)}; {surroundings}", style="dim")
        if not surroundings.quiet:
            say("this machine is not idle: the figures will be worse than they could be, and less sure", style="yellow")
        run = Bench(session, scope)
        try:
            with measuring(run, session):
                run.run()
        except (KeyboardInterrupt, SystemExit):
            say("interrupted; what was measured until now is kept")
            raise
        finally:
            with impatient():
                _finish(session, subject, run, before)
                if run.figures:
                    said = report(subject, run, surroundings)
                    print_json(said) if wanted.json else tell(said)
    if not run.usual:
        reasons = [f"{name}: {reason}" for name, reason in run.failures.items()]
        raise NoBackendError(f"'{scope.model_id}' could not be measured with any backend", detail=reasons)


@contextlib.contextmanager
def _session(settings: Settings) -> Iterator[Session]:
    client = live_client(settings)
    if client is not None:
        yield GatewaySession(client, settings, cancels=True)
        return
    from uml_core.cli.local import open_local

    with open_local(settings) as session:
        yield session


def _agree(before: Running | None, *, agreed: bool) -> None:
    """Ask whether the gateway's model may go for a while.

    :raises BadRequestError: it may not, or there is nobody to ask
    """
    if before is None or agreed:
        return
    import sys

    said = f"the gateway has '{before.model}' loaded; it is unloaded while this measures, and comes back afterwards"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BadRequestError(f"{said}; say --yes if that is well")
    say(f"{said[:1].upper()}{said[1:]}.")
    if not ask("Measure now?"):
        raise BadRequestError("nothing was measured; the gateway is as it was")


def _finish(session: Session, subject: Subject, run: Bench, before: Running | None) -> None:
    """Remember what was measured, and have loaded again what was."""
    for profile in run.profiles():
        session.keep(profile)
        subject.keep(profile)
    try:
        if before is not None:
            session.load(_again(before))
        elif isinstance(session, GatewaySession):
            session.unload()
    except UMLError as error:
        say(f"warning: what was loaded before could not be brought back: {plain(error.message)}", style="yellow")


def _again(before: Running) -> LoadRequest:
    return LoadRequest(
        model=before.model,
        backend=before.backend,
        context_length=before.context_length,
        parallel=before.parallel,
        threads=before.threads,
        spin=before.spin,
        options=before.options,
    )
