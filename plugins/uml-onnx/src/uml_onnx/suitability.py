"""Whether this backend has a use for a model, told by its card; no file's content is looked at."""

from __future__ import annotations

from uml_core.types import ModelSource, Rejected
from uml_onnx.files import folder_of

FORMATS = ("onnx", "onnx-genai")
READING = ("feature-extraction", "text-classification", "text-ranking")
TASKS = ("text-generation", *READING)
LIKE = {"sentence-similarity": "feature-extraction"}
NEEDS_MORE = frozenset({"image-text-to-text", "audio-text-to-text", "any-to-any"})
"""What several graphs do together: their text half alone is of no use."""


def tasks_of(model: ModelSource) -> tuple[str, ...] | Rejected:
    """What the model can do here, one thing: what it writes, or what it makes of a text that it has read."""
    if not model.files:  # a question about the engine alone
        return TASKS
    told = [LIKE.get(task, task) for task in model.tasks]
    found = next((task for task in told if task in TASKS), None)
    if found is None or not NEEDS_MORE.isdisjoint(told):
        what = " and ".join(model.tasks) or "nothing that is known"
        return Rejected(f"the graph is for {what}", hint=f"here models are served for {', '.join(TASKS)}")
    if not (folder_of(model.path) / "tokenizer.json").is_file():
        return Rejected("there is no 'tokenizer.json' beside the graph", hint="copy it from the model's own folder")
    return (found,)
