"""Whether and how much a model is to think, as the request says it, and what else its chat template may see."""

from __future__ import annotations

from typing import Any

from uml_core.worker.requests import ChatRequest, wrong

TEMPLATE_ARGUMENTS = frozenset(
    {
        "add_generation_prompt",
        "builtin_tools",
        "clear_thinking",
        "continue_final_message",
        "controls",
        "date_string",
        "documents",
        "enable_thinking",
        "keep_past_thinking",
        "model_identity",
        "preserve_thinking",
        "reasoning_budget",
        "reasoning_effort",
        "thinking",
        "thinking_budget",
        "thinking_mode",
        "today_date",
        "xml_tools",
    }
)
"""What models' templates ask for by these names. Messages, tools and special tokens are not the client's to set."""

_DIRECT = ("add_generation_prompt", "continue_final_message", "documents", "reasoning_effort")
_NO_EFFORT = ("none", "minimal")


def template_arguments(request: ChatRequest) -> dict[str, Any]:
    """What the chat template may see of the request besides its messages and tools.

    OpenAI's ``reasoning_effort`` is told under the names that templates know; what ``chat_template_kwargs`` says goes
    before it.

    :raises BadRequestError: ``chat_template_kwargs`` has something that is not on the list
    """
    seen = {name: request.extra[name] for name in _DIRECT if request.extra.get(name) is not None}
    if (effort := seen.get("reasoning_effort")) is not None:
        wanted = effort not in _NO_EFFORT
        seen.update(enable_thinking=wanted, thinking=wanted)
    said = request.extra.get("chat_template_kwargs") or {}
    if not isinstance(said, dict):
        raise wrong("chat_template_kwargs", "must be an object")
    if unknown := sorted(set(said) - TEMPLATE_ARGUMENTS):
        known = ", ".join(sorted(TEMPLATE_ARGUMENTS))
        raise wrong("chat_template_kwargs", f"can't have '{unknown[0][:64]}'; a template may be told: {known}")
    return seen | said
