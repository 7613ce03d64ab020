"""The built-in tasks as a plugin."""

from __future__ import annotations

from collections.abc import Iterable

from uml_core import API_VERSION, hookimpl
from uml_core.tasks import chat, classify, completion, embeddings, rerank
from uml_core.types import Task

uml_api_version = API_VERSION


@hookimpl
def uml_tasks() -> Iterable[Task]:
    """Chat and text completion of models that generate text; embeddings, ranking and classification of others."""
    return (chat.TASK, completion.TASK, embeddings.TASK, rerank.TASK, classify.TASK)
