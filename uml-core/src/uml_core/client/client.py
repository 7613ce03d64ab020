"""The client: what the gateway can do, as methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self
from urllib.parse import quote

from uml_core.client.answer import Answer
from uml_core.client.connection import Connection
from uml_core.client.event import Event
from uml_core.client.failure import cause_of
from uml_core.client.follow import Followed
from uml_core.client.gateway import Gateway, find_gateway
from uml_core.client.http import Response
from uml_core.client.models import ModelMethods
from uml_core.client.numbers import NumberMethods
from uml_core.errors import UnavailableError

NO_GATEWAY = "no gateway is running; start one with `uml serve`"

OnProgress = Callable[[dict[str, Any]], object]


class UniversalClient(ModelMethods, NumberMethods):
    """A gateway, by its address; without one, the live gateway of the user's data folder.

    Every method raises a :class:`~uml_core.errors.UMLError` of the class that the gateway's error names.

    Example::

        client = UniversalClient()
        client.load("SmolLM2-135M-Instruct")
        for piece in client.chat([{"role": "user", "content": "Why is the sky blue?"}]):
            print(piece, end="", flush=True)
    """

    def __init__(self, base_url: str | None = None, *, timeout_s: float = 600.0) -> None:
        """Remember the address; nothing is sent yet.

        :param base_url: like ``http://127.0.0.1:8650``, with or without ``/v1``
        :param timeout_s: longest silence of the gateway while it answers one request; a load has no such limit here
        :raises UnavailableError: no address was given, and no gateway is running
        """
        url = (base_url or _live().url).rstrip("/").removesuffix("/v1")
        self._connection = Connection(base_url=url, timeout_s=timeout_s)

    @classmethod
    def of(cls, gateway: Gateway, *, timeout_s: float = 600.0) -> Self:
        return cls(gateway.url, timeout_s=timeout_s)

    @property
    def base_url(self) -> str:
        return self._connection.base_url

    def plugins(self) -> list[dict[str, Any]]:
        """The card of every plugin, failed ones with their ``reason``."""
        said = self._connection.get("/plugins")
        return list(said["data"] if isinstance(said, Mapping) else said)

    def active(self) -> dict[str, Any] | None:
        """What is loaded, or is being loaded; None when nothing is."""
        status = self.status()
        return status if status.get("model") else None

    def status(self) -> dict[str, Any]:
        """What is loaded, if anything is: then ``model`` is not None; and the ``job`` that is running, if any is."""
        return dict(self._connection.get("/active_model"))

    def load(
        self,
        model: str,
        *,
        backend: str | None = None,
        context_length: int | None = None,
        parallel: int | None = None,
        threads: int | None = None,
        spin: bool | None = None,
        device: str | None = None,
        cache_type: str | None = None,
        force: bool | None = None,
        options: Mapping[str, Any] | None = None,
        wait: bool = True,
        idempotency_key: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> dict[str, Any]:
        """Load *model* in place of what is loaded, and return when it's ready; whoever asks for the same joins the job.

        Leaving early, by an exception or with the whole process, does not end the load; :meth:`cancel` does.

        :param context_length: tokens of context a sequence
        :param parallel: sequences at once
        :param threads: CPU threads of the worker
        :param spin: whether idle threads of the worker wait busily
        :param device: where its layers go: ``cpu``, a kind such as ``cuda``, or one such as ``cuda:1``
        :param cache_type: number type of the KV cache: ``f16``, ``q8_0`` …
        :param force: load it although the plan says that it doesn't fit
        :param options: the backend's own options
        :param wait: follow the job to its end; else return as soon as there is one
        :param idempotency_key: the same key and the same load are the same job, also after its end
        :param on_progress: called with the job's view at first and at every change
        :returns: the job's view: ``id``, ``state``, ``model``, ``backend``, ``context_length``, ``seconds`` …
        :raises UMLError: it did not get loaded, as the class of the cause; the error's ``job`` is the view, if there
            was one, which says what became of the model before
        """
        asked = {
            "model": model,
            "backend": backend,
            "context_length": context_length,
            "parallel": parallel,
            "threads": threads,
            "spin": spin,
            "device": device,
            "cache_type": cache_type,
            "force": force or None,
            "options": dict(options) if options else None,
        }
        said = {name: value for name, value in asked.items() if value is not None}
        job = self._connection.send("POST", "/load_model", said, idempotency_key=idempotency_key).read()
        return self.follow(job, on_progress=on_progress) if wait else dict(job)

    def unload(
        self, *, wait: bool = True, idempotency_key: str | None = None, on_progress: OnProgress | None = None
    ) -> dict[str, Any]:
        """Unload what is loaded, after the requests that it is answering.

        :param wait: follow the job to its end; else return as soon as there is one
        :returns: the job's view: ``previous`` is what was unloaded, None when nothing was, ``release`` the proof
        :raises UMLError: it could not be proven that it is gone; the error's ``job`` is the view
        """
        job = self._connection.send("POST", "/unload_model", {"wait": False}, idempotency_key=idempotency_key).read()
        return self.follow(job, on_progress=on_progress) if wait else dict(job)

    def scan(
        self, *, wait: bool = True, idempotency_key: str | None = None, on_progress: OnProgress | None = None
    ) -> dict[str, Any]:
        """Have the gateway look at all models of its machine and read those that are new or have changed.

        A scan that is under way is joined. Leaving early does not end it; :meth:`cancel` does.

        :param wait: follow the job to its end; else return as soon as there is one
        :param on_progress: called with the job's view at first and at every change; ``progress`` has ``done``,
            ``total`` and ``model``
        :returns: the job's view; ``report`` says what was found
        :raises UMLError: it was cancelled, or failed; the error's ``job`` is the view
        """
        job = self._connection.send("POST", "/models/scan", {}, idempotency_key=idempotency_key).read()
        return self.follow(job, on_progress=on_progress) if wait else dict(job)

    def follow(self, job: Mapping[str, Any], *, on_progress: OnProgress | None = None) -> dict[str, Any]:
        """Wait for the end of a job, and return its last view.

        :param job: a view of it
        :raises UMLError: it did not do what it was for, as the class of the cause; the error's ``job`` is the view
        """
        path = _path_of(job["id"])
        followed = Followed(
            look=lambda: self._connection.get(path),
            listen=lambda after: self._connection.listen(f"{path}/events", after),
        )
        view: Mapping[str, Any] = job
        for view in followed.changes(job):
            if on_progress is not None:
                on_progress(dict(view))
        if view["state"] != "committed":
            raise cause_of(view)
        return dict(view)

    def job(self, job_id: str) -> dict[str, Any]:
        """The view of one job.

        :raises NotFoundError: there is none with that id, or it ended long ago
        """
        return dict(self._connection.get(_path_of(job_id)))

    def jobs(self) -> list[dict[str, Any]]:
        """The views of all jobs: the running one, those that wait, and the last that ended, newest first."""
        return list(self._connection.get("/jobs")["data"])

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Cancel a job, for all who wait for it, and return when what it had evicted is back; its view.

        :raises NotFoundError: there is none with that id
        :raises ConflictError: it has ended
        """
        return dict(self._connection.send("DELETE", _path_of(job_id)).read())

    def events(self, after: int | None = None) -> Iterator[Event]:
        """What happens in the gateway, as it happens, until it ends; a connection that breaks is taken up again.

        :param after: the id of the last event that is known; what came since is told first, if it's still kept
        :raises UnavailableError: the gateway has gone
        """
        return self._connection.listen_on("/events", after)

    def queue(self) -> dict[str, Any]:
        """The requests that wait for a model: ``length``, ``limit``, and each with ``position`` and ``waited_s``."""
        return dict(self._connection.get("/queue"))

    def chat(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        model: str | None = None,
        stream: bool = True,
        **parameters: Any,
    ) -> Answer:
        """Ask for an answer to *messages*.

        :param model: the model's id; what is loaded when absent
        :param stream: the text comes piece by piece; else as one piece when it's whole
        :param parameters: OpenAI's own: ``max_tokens``, ``temperature``, ``seed`` …
        """
        model = model or self._loaded()
        body = {"model": model, "messages": list(messages), "stream": stream, **parameters}
        if stream:
            body.setdefault("stream_options", {"include_usage": True})
        response = self._connection.send("POST", "/v1/chat/completions", body)
        return Answer(response.chunks() if stream else _whole(response), response.close)

    def _loaded(self) -> str:
        active = self.active()
        if active is None:
            raise UnavailableError("no model is loaded; name one, or load one with `uml load`")
        return str(active["model"])


def _path_of(job_id: str) -> str:
    return f"/jobs/{quote(job_id, safe='')}"


def _live() -> Gateway:
    gateway = find_gateway()
    if gateway is None:
        raise UnavailableError(NO_GATEWAY)
    return gateway


def _whole(response: Response) -> Iterator[Mapping[str, Any]]:
    yield response.read()
