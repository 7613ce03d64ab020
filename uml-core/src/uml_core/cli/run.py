"""``uml run``: ask a model, once or in a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from uml_core.cli.options import (
    BackendOption,
    CacheTypeOption,
    ContextOption,
    DeviceOption,
    ForceOption,
    JsonOption,
    SpinOption,
    ThreadsOption,
)

if TYPE_CHECKING:
    from uml_core.cli.session import Loaded, Messages, Session
    from uml_core.types import LoadRequest

Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL|PROMPT",
        help="A model (id, alias or file), then the prompt; `-` reads it from standard input. "
        "A first word with a space in it is the prompt.",
        show_default=False,
    ),
]


def command(
    words: Words = None,
    *,
    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="NAME", help="The model; then all words are the prompt.")
    ] = None,
    backend: BackendOption = None,
    context_length: ContextOption = None,
    device: DeviceOption = None,
    cache_type: CacheTypeOption = None,
    threads: ThreadsOption = None,
    spin: SpinOption = None,
    force: ForceOption = False,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", "-n", metavar="TOKENS", min=1, help="Longest answer.")
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", "-t", metavar="N", min=0, max=2, help="0 is sober, 1 and more is lively."),
    ] = None,
    system: Annotated[
        str | None, typer.Option("--system", "-s", metavar="TEXT", help="What the model is told before all else.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="The same seed gives the same answer.")
    ] = None,
    pull: Annotated[
        bool, typer.Option("--pull", help="Fetch the starter model without asking, if there's none.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Ask a model, once or in a conversation.

    Without a prompt it is a conversation. Uses the running gateway if there is one; else it loads the model itself,
    and ends it afterwards.
    """
    import sys

    from uml_core.cli.interrupt import ends_in_order
    from uml_core.cli.prompt import understand
    from uml_core.cli.session import open_session
    from uml_core.errors import BadRequestError
    from uml_core.settings import read_settings
    from uml_core.types import LoadRequest

    settings = read_settings()
    with ends_in_order(), open_session(settings) as session:
        asked = understand(words or (), model=model, is_model=session.knows, stdin=sys.stdin)
        if asked.prompt is None and (json or not (sys.stdin.isatty() and sys.stdout.isatty())):
            whom = f" for model '{asked.model}'" if asked.model else ""
            raise BadRequestError(f'there is no prompt{whom}; give one, as in `uml run "Why is the sky blue?"`')
        ref = choose(session, asked.model, pull=pull)
        request = LoadRequest(
            model=ref,
            backend=backend,
            context_length=context_length,
            threads=threads,
            spin=spin,
            device=device,
            cache_type=cache_type,
            force=force,
        )
        loaded = load(session, request, guessed=model is None)
        parameters = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed}
        given = {name: value for name, value in parameters.items() if value is not None}
        messages = [{"role": "system", "content": system}] if system else []
        if asked.prompt is None:
            from uml_core.cli.chat import Chat

            Chat(session, loaded, parameters=given, messages=messages, history_file=settings.data_dir / "history").run()
        else:
            messages.append({"role": "user", "content": asked.prompt})
            (_answer_json if json else _answer)(session, loaded, messages, given)


def choose(session: Session, ref: str | None, *, pull: bool) -> str:
    """The model to load: the one that was named, else what is loaded, else what was used last, else the starter.

    :raises ModelNotFoundError: there is none, and nobody agreed to fetch the starter
    """
    from uml_core.cli.output import say

    if ref is not None:
        return ref if session.knows(ref) else offered(session, ref, pull=pull)
    active = session.active()
    if active is not None:
        return active
    models = session.models()
    if not models:
        return offered(session, "starter", pull=pull)
    if len(models) > 1:
        say(f"no model was named; taking {models[0]}, one of {len(models)} that can answer", style="dim")
    return models[0]


def offered(session: Session, ref: str, *, pull: bool) -> str:
    """The id of what a store offers under that name, fetched now if it isn't here; *ref* itself when none does."""
    from uml_core.cli.starter import fetch_agreed

    offer = session.offer(ref)
    if offer is None:
        return ref
    models = session.models()
    if offer.id in models:
        return offer.id
    why = f"model '{ref}' is not on this machine yet" if models else "there is no model on this machine yet"
    return fetch_agreed(offer, why=why, agreed=pull).id


def load(session: Session, request: LoadRequest, *, guessed: bool) -> Loaded:
    """Have the model ready, with a bar where it takes long.

    :param guessed: nobody said that this is a model; it may have been the prompt
    """
    from uml_core.cli.progress import progress
    from uml_core.errors import ModelNotFoundError

    try:
        with progress(session.stage, label=f"checking {request.model}"):
            return session.load(request)
    except ModelNotFoundError as error:
        if not guessed or "/" in request.model:
            raise
        hint = "if that was the prompt: put its words in quotes, or name the model with -m"
        raise ModelNotFoundError(error.message, detail=(*error.detail, hint)) from error


def _answer(session: Session, loaded: Loaded, messages: Messages, parameters: Mapping[str, Any]) -> None:
    from uml_core.cli.output import stderr, stdout
    from uml_core.cli.progress import progress
    from uml_core.cli.reply import Reply, say_cost

    reply = Reply()
    reply.show(lambda: session.chat(messages, parameters), waiting=progress(session.stage, label="reading the prompt"))
    if reply.cost and stdout().is_terminal and stderr().is_terminal:
        say_cost(reply.cost, loaded)


def _answer_json(session: Session, loaded: Loaded, messages: Messages, parameters: Mapping[str, Any]) -> None:
    from uml_core.cli.output import print_json
    from uml_core.cli.progress import progress
    from uml_core.cli.reply import Reply

    reply = Reply()
    waiting = progress(session.stage, label="answering")
    reply.receive(lambda: session.chat(messages, parameters), waiting=waiting, write=lambda _: None)
    print_json(
        {
            "model": loaded.model,
            "backend": loaded.backend,
            "text": reply.text,
            "finish_reason": reply.finish_reason,
            **(reply.cost.as_json() if reply.cost else {}),
        }
    )
