"""What answers ``uml run``: the live gateway over HTTP, or a supervisor in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from attrs import fields, frozen

from uml_core.cli.answering import answering
from uml_core.cli.failure import knowing_what_stays
from uml_core.cli.followed import goes_on
from uml_core.cli.stage import Stage, stage_of
from uml_core.cli.watch import Watch
from uml_core.errors import BadRequestError, ModelLoadingError, ModelNotFoundError, NotFoundError, UMLError

if TYPE_CHECKING:
    from uml_core.bench.rig import Running
    from uml_core.client import Answer, UniversalClient
    from uml_core.settings import Settings
    from uml_core.types import LoadRequest, Offer, Profile

Messages = Sequence[Mapping[str, Any]]


@frozen(kw_only=True)
class Loaded:
    """What answers now; ``context_length`` is in tokens."""

    model: str
    backend: str
    context_length: int | None


class Session(Protocol):
    """Load a model and talk to it. Every method may raise a :class:`~uml_core.errors.UMLError`."""

    def active(self) -> str | None:
        """The id of the model that is loaded."""

    def models(self) -> list[str]:
        """The ids of what can answer a person here, what was used last first."""

    def knows(self, ref: str) -> bool:
        """Whether *ref* resolves to a model."""

    def offer(self, ref: str) -> Offer | None:
        """What could be fetched under that name."""

    def load(self, request: LoadRequest) -> Loaded:
        """Have that model ready."""

    def unload(self) -> None:
        """Have nothing loaded."""

    def running(self) -> Running | None:
        """What is loaded now, and how."""

    def keep(self, profile: Profile) -> None:
        """Remember a measurement."""

    def stage(self) -> Stage | None:
        """How far a load is; asked from another thread while :meth:`load` or :meth:`chat` waits."""

    def chat(self, messages: Messages, parameters: Mapping[str, Any]) -> Answer:
        """Ask the loaded model."""


class GatewaySession:
    """A session with the live gateway.

    :param cancels: an interrupt ends a load of ours; else it goes on
    """

    def __init__(self, client: UniversalClient, settings: Settings, *, cancels: bool = False) -> None:
        self._client = client
        self._cancels = cancels
        self._settings = settings
        self._request: LoadRequest | None = None
        self._model: str | None = None
        self._watch: Watch | None = None

    def active(self) -> str | None:
        active = self._client.active()
        return str(active["model"]) if active else None

    def models(self) -> list[str]:
        backends = (card.get("backend") or {} for card in self._client.plugins())
        formats = {format for backend in backends for format in backend.get("formats", ())}
        return answering(self._client.models(), formats)

    def knows(self, ref: str) -> bool:
        try:
            self._client.model(ref)
        except NotFoundError:
            return False
        return True

    def offer(self, ref: str) -> Offer | None:
        from uml_core.cli.here import registry_here

        return registry_here(self._settings).offer(ref)  # fetching needs no gateway, only its folder

    def load(self, request: LoadRequest) -> Loaded:
        """Have the gateway load it; what it has loaded already stays as it is, unless something else was asked for."""
        self._watch = watch = Watch(self._client, lines=False)
        interrupted = self._cancelled(watch) if self._cancels else goes_on(watch, f"the load of '{request.model}'")
        try:
            with interrupted, knowing_what_stays(self._client):
                loaded = self._client.load(
                    request.model,
                    backend=request.backend,
                    context_length=request.context_length,
                    parallel=request.parallel,
                    threads=request.threads,
                    spin=request.spin,
                    device=request.device,
                    cache_type=request.cache_type,
                    force=request.force,
                    options=request.options,
                    on_progress=watch.take,
                )
        except (ModelNotFoundError, BadRequestError) as error:
            self._refuse_path(request.model, error)
            raise
        finally:
            self._watch = None
        self._request, self._model = request, loaded["model"]
        return Loaded(model=loaded["model"], backend=loaded["backend"], context_length=loaded.get("context_length"))

    @contextlib.contextmanager
    def _cancelled(self, watch: Watch) -> Iterator[None]:
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            if watch.job:
                with contextlib.suppress(UMLError):  # it ended in this very moment
                    self._client.cancel(watch.job["id"])
            raise

    def unload(self) -> None:
        self._client.unload()

    def running(self) -> Running | None:
        from uml_core.bench.rig import Running

        active = self._client.active()
        if active is None:
            return None
        known = {field.name: active[field.name] for field in fields(Running) if field.name in active}
        return Running(**known)

    def keep(self, profile: Profile) -> None:
        from attrs import asdict

        self._client.put_profile({**asdict(profile), "measured": profile.measured.isoformat()})

    def stage(self) -> Stage | None:
        """Of our load what it tells; while an answer is waited for, of whatever job the gateway is at."""
        if self._watch is not None:
            return self._watch.stage()
        status = self._client.status()
        return stage_of(status.get("job"), leases=status.get("leases"))

    def chat(self, messages: Messages, parameters: Mapping[str, Any]) -> Answer:
        """Ask; if somebody else had the gateway load another model meanwhile, ours is loaded again first."""
        try:
            return self._client.chat(messages, model=self._model, **parameters)
        except ModelLoadingError:
            if self._request is None:
                raise
        self.load(self._request)
        return self._client.chat(messages, model=self._model, **parameters)

    def _refuse_path(self, ref: str, error: Exception) -> None:
        """A path can't go over HTTP; somebody who gave one needs to know what to do instead."""
        path = Path(ref).expanduser()
        if path.exists():
            raise BadRequestError(
                f"'{ref}' is a file, and the running gateway takes only models of its folder; put it there with "
                f"`ln -s '{path.resolve()}' '{self._settings.models_folder}'`, or end the gateway first"
            ) from error


@contextlib.contextmanager
def open_session(settings: Settings) -> Iterator[Session]:
    """The live gateway's session, else one of this process, which ends what it started.

    :raises GatewayRunningError: there is no live gateway, but another process holds the data folder
    """
    from uml_core.cli.gateway import live_client

    client = live_client(settings)
    if client:
        yield GatewaySession(client, settings)
        return
    from uml_core.cli.local import open_local

    with open_local(settings) as session:
        yield session
