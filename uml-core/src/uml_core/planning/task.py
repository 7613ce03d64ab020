"""What people call the tasks, and which models are for them."""

from __future__ import annotations

import difflib

from attrs import frozen

from uml_core.errors import BadRequestError
from uml_core.inspection.file import shown
from uml_core.types import ModelCard

TEXT = "text-generation"
WORDS = {
    "chat": TEXT,
    "text": TEXT,
    "completion": TEXT,
    "embedding": "feature-extraction",
    "embeddings": "feature-extraction",
    "rerank": "text-ranking",
    "vision": "image-text-to-text",
    "transcription": "automatic-speech-recognition",
    "speech-to-text": "automatic-speech-recognition",
    "speech": "text-to-speech",
}
TAGS = frozenset(WORDS.values()) | {"fill-mask", "image-classification", "object-detection", "text-classification"}
WRITING = frozenset({TEXT, "image-text-to-text"})
WHOLE = frozenset({"feature-extraction", "text-ranking", "text-classification"})
"""A text is computed at once for these, and nothing of it is kept."""


@frozen
class Wish:
    """What somebody wants to do: a pipeline tag (None is anything), and whether the model has to know how to chat."""

    task: str | None
    chat: bool = False

    def why_not(self, card: ModelCard, tasks: tuple[str, ...]) -> str | None:
        """Why a model isn't for this, None if it is.

        :param tasks: what it does, as its files or its backend say
        """
        if self.task is not None and self.task not in tasks:
            return f"is for {' and '.join(tasks) or 'nothing that is known'}, not for {self.task}"
        if self.chat and not card.has_chat_template:
            return "has no chat template: it goes on with a text, but was not made to answer"
        return None


def wish_of(word: str | None) -> Wish:
    """What *word* means: a word of people, or a pipeline tag.

    :raises BadRequestError: it is neither; the message has those that there are
    """
    if word is None:
        return Wish(None)
    said = word.strip().lower()
    if said in WORDS or said in TAGS:
        return Wish(WORDS.get(said, said), chat=said == "chat")
    near = difflib.get_close_matches(said, [*WORDS, *TAGS], n=1)
    meant = f" (did you mean '{near[0]}'?)" if near else ""
    raise BadRequestError(
        f"there is no task '{shown(word)}'{meant}; say {', '.join(WORDS)}, or a pipeline tag such as {TEXT}",
        param="task",
    )
