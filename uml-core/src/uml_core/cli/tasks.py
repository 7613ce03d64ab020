"""What people call the tasks that models do; everything else calls them by their Hugging Face pipeline tags."""

from __future__ import annotations

from typing import Annotated

import typer

TaskOption = Annotated[
    str | None,
    typer.Option(
        "--task", metavar="TASK", help="chat, embeddings, rerank, vision, transcription, speech, or a pipeline tag."
    ),
]


def tag_of(word: str | None) -> str | None:
    """The pipeline tag that *word* means; what looks like a tag is one, as plugins may bring their own.

    :raises BadRequestError: there is no such task
    """
    from uml_core.planning.task import WORDS, wish_of

    if word is None:
        return None
    said = word.strip().casefold()
    return said if "-" in said and said not in WORDS else wish_of(word).task


def word_of(tag: str) -> str:
    """The word for a pipeline tag; the tag itself where people have none."""
    from uml_core.planning.task import WORDS

    return next((word for word, known in WORDS.items() if known == tag), tag)
