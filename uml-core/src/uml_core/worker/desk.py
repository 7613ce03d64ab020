"""Where a request is read, prepared, and put into the engine's queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from uml_core.errors import ModelLoadingError, TaskNotSupportedError, UMLError
from uml_core.worker.answering import Answer, Answering, told
from uml_core.worker.engine import EngineThread
from uml_core.worker.frames import Shape
from uml_core.worker.generation import Abandoned, Generation
from uml_core.worker.routes import TextRoute, WholeRoute
from uml_core.worker.support import check_supported
from uml_core.worker.transcript import Transcript

R = TypeVar("R")

PREPARING = 4
"""How many requests are prepared at once, beside the engine's own threads."""


class Desk:
    """Brings requests to the engine, with what belongs to them.

    Its threads are its own: the loop waits for those of its default pool when the worker ends, as long as it takes.
    """

    def __init__(self, engine: EngineThread, model_id: str) -> None:
        self._engine, self._model_id = engine, model_id
        self._pool = ThreadPoolExecutor(PREPARING, "prepare")

    async def ask(self, route: WholeRoute, body: Mapping[str, Any], generation: Generation) -> None:
        """Queue a request whose answer the engine makes whole.

        :raises UMLError: it can't be answered
        :raises Abandoned: the client left while it was prepared
        """
        answer = self._method(route.method)
        request = await self._prepared(route.request.read(body, generation.cancelled), generation)
        self._engine.submit([Answering(generation, answer, request, transcript=None)])

    async def ask_text(self, route: TextRoute, body: Mapping[str, Any], generation: Generation) -> Shape:
        """Queue all that a request for texts asks for, and say how many answers it will have.

        :raises UMLError: it can't be answered
        :raises Abandoned: the client left while it was prepared
        """
        answer, honours = self._method(route.method), getattr(self._engine.engine, "honours", ())
        requests = route.request.read_all(body, generation.cancelled)
        for request in requests:
            check_supported(request, honours)
        prepared = [await self._prepared(request, generation) for request in requests]
        wanted = [each for request in prepared for each in request.each()]
        self._engine.submit(
            [
                Answering(generation, answer, each, index=index, transcript=Transcript.of(each, honours))
                for index, each in enumerate(wanted)
            ]
        )
        return Shape(prompts=len(requests), n=requests[0].n)

    def _method(self, name: str) -> Answer:
        engine = self._engine.engine
        if engine is None:
            raise ModelLoadingError("the model is still being loaded; ask again", retry_after_s=1)
        method: Answer | None = getattr(engine, name, None)
        if method is None:
            raise TaskNotSupportedError(f"'{self._model_id}' has no '{name}' in this backend", param="model")
        return method

    async def _prepared(self, request: R, generation: Generation) -> R:
        prepare: Callable[[R], R] | None = getattr(self._engine.engine, "prepare", None)
        if prepare is None:
            return request
        work = asyncio.get_running_loop().run_in_executor(self._pool, prepare, request)
        try:
            return await generation.during(work)
        except (UMLError, Abandoned):
            raise
        except Exception as error:
            raise told(error) from error
