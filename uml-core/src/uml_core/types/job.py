"""A switch as somebody outside sees it: where it stands, and how it ended."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from attrs import frozen

from uml_core.types.plan import LoadRequest, Plan
from uml_core.types.release import Release
from uml_core.types.status import SwitchState

if TYPE_CHECKING:
    from uml_core.errors import UMLError

JobKind = Literal["load", "unload", "restart", "recycle"]
ProgressSource = Literal["worker", "log", "memory", "time"]


@frozen(kw_only=True)
class LoadProgress:
    """How far a job is.

    ``stage`` is ``queued``, ``checking``, ``draining``, ``unloading``, ``verifying``, ``waiting`` (for the pause before
    a restart), ``launching``, ``loading`` or ``probing``. ``part`` is of the loading, 0 to 1, None when nobody knows;
    ``source`` says who knows: the worker itself, its log, its resident memory against the files, or the time that
    earlier loads took. ``eta_s`` comes from earlier loads of the same model, else from ``part``.
    """

    stage: str
    part: float | None = None
    source: ProgressSource | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None
    elapsed_s: float = 0.0
    eta_s: float | None = None


@frozen(kw_only=True)
class JobStatus:
    """One job at one moment; a copy to look at.

    ``switched`` says that the slot now holds what the job was for and did not before; ``rolled_back`` that the model
    before it is back. ``cause`` is why the job did not do what it was for, ``rollback_cause`` why the earlier model
    could not be brought back either. ``position`` is 0 for the running job and for ended ones, else its place in the
    queue; ``waiting`` counts who waits for it. Times are in UTC, ``seconds`` from its creation to its end,
    ``rollback_seconds`` what it took of them to bring the earlier model back.
    """

    id: str
    kind: JobKind
    state: SwitchState
    request: LoadRequest | None
    reason: str
    created: datetime
    finished: datetime | None = None
    position: int = 0
    waiting: int = 0
    progress: LoadProgress | None = None
    plan: Plan | None = None
    previous: str | None = None
    switched: bool = False
    rolled_back: bool = False
    cause: UMLError | None = None
    rollback_cause: UMLError | None = None
    release: Release | None = None
    seconds: float | None = None
    rollback_seconds: float | None = None
    port: int | None = None

    @property
    def ended(self) -> bool:
        return self.finished is not None
