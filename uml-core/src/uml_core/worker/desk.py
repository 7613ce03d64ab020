"""Where a request is read, prepared, and put into the engine's queue."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from uml_core.errors import ModelLoadingError, TaskNotSupportedError, UMLError
from uml_core.worker.answering import Answer, Answering, told
from uml_core.worker.engine import EngineThread
from uml_core.worker.generation import Abandoned, Generation
from uml_core.worker.routes import TextRoute, WholeRoute
from uml_core.worker.support import check_supported
from uml_core.worker.transcript import Transcript

PREPARING = 4
"""How many requests are prepared at once, beside the engine's own threads."""


class Desk:
    """Brings requests to the engine, with what belongs to them.

    Its threads are its own: the loop waits for those of its default pool when the worker ends, as long as it takes.
    """

    def __init__(self, engine: EngineThread, model_id: str) -> None:
        self._engine, self._model_id = engine, model_id
        self._pool = ThreadPoolExecutor(PREPARING, "prepare")

    async def ask(self, route: TextRoute | WholeRoute, body: Mapping[str, Any], generation: Generation) -> int:
        """Queue a request, and say how many answers it will have.

        :raises UMLError: it can't be answered
        :raises Abandoned: the client left while it was prepared
        """
        engine, answer = self._engine.engine, self._method(route.method)
        honours = getattr(engine, "honours", ())
        request = route.request.read(body, generation.cancelled)
        if isinstance(route, TextRoute):
            check_supported(request, honours)
        if (prepare := getattr(engine, "prepare", None)) is not None:
            request = await self._prepare(prepare, request, generation)
        answers = [Answering(generation, answer, request, transcript=None)]
        if isinstance(route, TextRoute):
            answers = [
                Answering(generation, answer, each, index=each.index, transcript=Transcript.of(each, honours))
                for each in request.each()
            ]
        self._engine.submit(answers)
        return len(answers)

    def _method(self, name: str) -> Answer:
        engine = self._engine.engine
        if engine is None:
            raise ModelLoadingError("the model is still being loaded; ask again", retry_after_s=1)
        method: Answer | None = getattr(engine, name, None)
        if method is None:
            raise TaskNotSupportedError(f"'{self._model_id}' has no '{name}' in this backend", param="model")
        return method

    async def _prepare(self, prepare: Answer, request: Any, generation: Generation) -> Any:
        work = asyncio.get_running_loop().run_in_executor(self._pool, prepare, request)
        try:
            return await generation.during(work)
        except (UMLError, Abandoned):
            raise
        except Exception as error:
            raise told(error) from error
