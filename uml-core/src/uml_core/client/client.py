"""The client: what the gateway can do, as methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from uml_core.client.answer import Answer
from uml_core.client.gateway import Gateway, find_gateway
from uml_core.client.http import Response, request
from uml_core.errors import UnavailableError

NO_GATEWAY = "no gateway is running; start one with `uml serve`"


class UniversalClient:
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
        :param timeout_s: longest silence of the gateway; a load is silent until it is done
        :raises UnavailableError: no address was given, and no gateway is running
        """
        self.base_url = (base_url or _live().url).rstrip("/").removesuffix("/v1")
        self.timeout_s = timeout_s

    @classmethod
    def of(cls, gateway: Gateway, *, timeout_s: float = 600.0) -> Self:
        return cls(gateway.url, timeout_s=timeout_s)

    def models(self) -> list[dict[str, Any]]:
        """Every model on the gateway's machine, unreadable ones with their ``error``."""
        return list(self._get("/models")["data"])

    def plugins(self) -> list[dict[str, Any]]:
        """The card of every plugin, failed ones with their ``reason``."""
        said = self._get("/plugins")
        return list(said["data"] if isinstance(said, Mapping) else said)

    def active(self) -> dict[str, Any] | None:
        """What is loaded, or is being loaded; None when nothing is."""
        active = self._get("/active_model")
        return dict(active) if active.get("model") else None

    def load(
        self,
        model: str,
        *,
        backend: str | None = None,
        context_length: int | None = None,
        parallel: int | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Load *model* in place of what is loaded, and return when it's ready.

        :param context_length: tokens of context a sequence
        :param parallel: sequences at once
        :param options: the backend's own options
        """
        asked = {
            "model": model,
            "backend": backend,
            "context_length": context_length,
            "parallel": parallel,
            "options": dict(options) if options else None,
        }
        said = {name: value for name, value in asked.items() if value is not None}
        return dict(self._send("POST", "/load_model", said).read())

    def unload(self) -> str | None:
        """Unload what is loaded; its id, or None when nothing was."""
        unloaded: str | None = self._send("POST", "/unload_model", {}).read()["unloaded"]
        return unloaded

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
        response = self._send("POST", "/v1/chat/completions", body)
        return Answer(response.chunks() if stream else _whole(response), response.close)

    def _loaded(self) -> str:
        active = self.active()
        if active is None:
            raise UnavailableError("no model is loaded; name one, or load one with `uml load`")
        return str(active["model"])

    def _get(self, path: str) -> Any:
        return self._send("GET", path).read()

    def _send(self, method: str, path: str, body: object = None) -> Response:
        return request(method, self.base_url + path, body=body, timeout_s=self.timeout_s)


def _live() -> Gateway:
    gateway = find_gateway()
    if gateway is None:
        raise UnavailableError(NO_GATEWAY)
    return gateway


def _whole(response: Response) -> Iterator[Mapping[str, Any]]:
    yield response.read()
