"""The built-in tasks as a plugin."""

from __future__ import annotations

from collections.abc import Iterable

from uml_core import API_VERSION, hookimpl
from uml_core.tasks import chat, completion
from uml_core.types import Task

uml_api_version = API_VERSION


@hookimpl
def uml_tasks() -> Iterable[Task]:
    """Chat and text completion, both of models that generate text."""
    return (chat.TASK, completion.TASK)
