# ruff: noqa: RUF001 - the wide bars are DeepSeek's own
"""The families that are known, and which of them a model belongs to."""

from __future__ import annotations

from typing import Final

from attrs import evolve, frozen

from uml_core.worker.text.family import Calls, Family, Thoughts
from uml_core.worker.text.tokenizer import Tokenizer

_THINK = Thoughts("<think>", "</think>")
_MISTRAL_THINK = Thoughts("[THINK]", "[/THINK]")
_ALONE = r"(?:\A|(?<=</think>))\s*"
"""Where an answer begins that is a call and nothing else."""

HERMES = Calls(
    "json", r"<tool_call>", r"</tool_call>",
    trigger="<tool_call>", begin="<tool_call>\n", end="\n</tool_call>", between="\n",
)  # fmt: skip
QWEN_CODER = Calls(
    "xml", r"<tool_call>\s*<function=(?P<name>[^>\n]+)>", r"</function>\s*</tool_call>",
    trigger="<tool_call>", begin="<tool_call>\n<function={name}>\n", end="</function>\n</tool_call>", between="\n",
)  # fmt: skip
GLM = Calls(
    "glm", r"<tool_call>", r"</tool_call>",
    trigger="<tool_call>", begin="<tool_call>{name}\n", end="</tool_call>", between="\n",
)  # fmt: skip
MISTRAL = Calls(
    "bracket", r"\[TOOL_CALLS\]", r"(?=\[TOOL_CALLS\])", trigger="[TOOL_CALLS]", begin="[TOOL_CALLS]{name}[ARGS]"
)
MISTRAL_LIST = Calls("list", r"\[TOOL_CALLS\]", trigger="[TOOL_CALLS]", first="[TOOL_CALLS] ")
GRANITE = Calls("list", r"<\|tool_call\|>", trigger="<|tool_call|>", first="<|tool_call|>")
PHI = evolve(GRANITE, close=r"<\|/tool_call\|>", last="<|/tool_call|>")
COHERE = Calls(
    "list", r"<\|START_ACTION\|>", r"<\|END_ACTION\|>",
    trigger="<|START_ACTION|>", first="<|START_ACTION|>", last="<|END_ACTION|>", key="parameters",
)  # fmt: skip
LLAMA = Calls(
    "json", _ALONE + r'(?:<\|python_tag\|>\s*)?(?=\{\s*"(?:type|name|function)")', between="; ", key="parameters"
)
PYTHONIC = Calls(
    "pythonic", r"(?:\A|<\|python_start\|>)\s*(?=\[\s*[A-Za-z_][\w.\-]*\()", r"<\|python_end\|>",
    first="[", begin="{name}(", end=")", between=", ", last="]",
)  # fmt: skip
LFM = evolve(
    PYTHONIC, open=r"<\|tool_call_start\|>", close=r"<\|tool_call_end\|>",
    trigger="<|tool_call_start|>", first="<|tool_call_start|>[", last="]<|tool_call_end|>",
)  # fmt: skip
GEMMA = Calls(
    "gemma", r"<\|tool_call>call:(?P<name>[^\s{]+)(?=\{)", r"<tool_call\|>",
    values={"unquoted_keys": True, "string_delims": [['<|"|>', '<|"|>']]},
    trigger="<|tool_call>", begin="<|tool_call>call:{name}", end="<tool_call|>",
)  # fmt: skip
FUNCTION_GEMMA = Calls(
    "gemma", r"<start_function_call>call:(?P<name>[^\s{]+)(?=\{)", r"<end_function_call>",
    values={"unquoted_keys": True, "string_delims": [["<escape>", "<escape>"]]},
    trigger="<start_function_call>", begin="<start_function_call>call:{name}", end="<end_function_call>",
)  # fmt: skip
DEEPSEEK = Calls(
    "arguments", r"<｜tool▁call▁begin｜>(?P<name>[^<\n]+)<｜tool▁sep｜>", r"<｜tool▁call▁end｜>",
    trigger="<｜tool▁calls▁begin｜>", first="<｜tool▁calls▁begin｜>", last="<｜tool▁calls▁end｜>",
    begin="<｜tool▁call▁begin｜>{name}<｜tool▁sep｜>", end="<｜tool▁call▁end｜>",
)  # fmt: skip
DEEPSEEK_R1 = evolve(
    DEEPSEEK, form="fenced", open=r"<｜tool▁call▁begin｜>function<｜tool▁sep｜>(?P<name>[^\n]+)\n",
    begin="<｜tool▁call▁begin｜>function<｜tool▁sep｜>{name}\n```json\n", end="\n```<｜tool▁call▁end｜>", between="\n",
)  # fmt: skip
KIMI = Calls(
    "arguments",
    r"<\|tool_call_begin\|>\s*(?:functions\.)?(?P<name>[^:<\s]+)(?::\d+)?\s*<\|tool_call_argument_begin\|>",
    r"<\|tool_call_end\|>",
    trigger="<|tool_calls_section_begin|>", first="<|tool_calls_section_begin|>", last="<|tool_calls_section_end|>",
    begin="<|tool_call_begin|>functions.{name}:0<|tool_call_argument_begin|>", end="<|tool_call_end|>",
)  # fmt: skip
HARMONY = Calls(
    "arguments",
    r"(?:<\|start\|>assistant)?(?:<\|channel\|>(?:commentary|analysis))? ?to=(?:functions\.)?(?P<name>[\w.\-]+)"
    r"(?:<\|channel\|>(?:commentary|analysis))?\s*(?:<\|constrain\|>)?(?:json)?\s*<\|message\|>",
    r"<\|call\|>", single=True,
    begin="<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>",
)  # fmt: skip
ALONE = Calls("json", _ALONE + r"(?=\{)")
"""What a model is held to that was never told of calls: one JSON object and nothing else."""


@frozen
class _Known:
    """A family, and what stands in the chat template of its models."""

    needs: tuple[str, ...]
    family: Family


_HARMONY = Family(
    "harmony", Thoughts("<|channel|>analysis<|message|>", "<|end|>", "<|start|>assistant"), HARMONY,
    says="<|channel|>final<|message|>", quiet="<|return|><|call|>",
    dropped=r"(?:<\|start\|>assistant)?\s*<\|channel\|>(?:final|commentary)\s*(?:<\|constrain\|>\w+)?\s*<\|message\|>"
    r"|<\|start\|>assistant(?=<\|message\|>)<\|message\|>|<\|end\|>|<\|return\|>",
)  # fmt: skip
_DEEPSEEK_FRAME = r"<｜tool▁calls▁begin｜>|<｜tool▁calls▁end｜>"
_COHERE_FRAME = r"<\|START_RESPONSE\|>|<\|END_RESPONSE\|>|<\|START_TEXT\|>|<\|END_TEXT\|>"
_KIMI_FRAME = r"<\|tool_calls_section_begin\|>|<\|tool_calls_section_end\|>"

_KNOWN: Final = (
    _Known(("<|channel|>", "<|message|>"), _HARMONY),
    _Known(("<|tool_call>",), Family("gemma-4", Thoughts("<|channel>thought\n", "<channel|>"), GEMMA)),
    _Known(("<start_function_call>",), Family("function-gemma", None, FUNCTION_GEMMA)),
    _Known(
        ("<｜tool▁call▁begin｜>", "```json"), Family("deepseek-r1", _THINK, DEEPSEEK_R1, dropped=_DEEPSEEK_FRAME)
    ),
    _Known(("<｜tool▁call▁begin｜>",), Family("deepseek-v3.1", _THINK, DEEPSEEK, dropped=_DEEPSEEK_FRAME)),
    _Known(("<|tool_call_begin|>",), Family("kimi", _THINK, KIMI, dropped=_KIMI_FRAME)),
    _Known(
        ("[TOOL_CALLS]", "[ARGS]"), Family("mistral", _MISTRAL_THINK, MISTRAL, quiet="[CALL_ID]", short_ids=True)
    ),
    _Known(("[TOOL_CALLS]",), Family("mistral-v3", None, MISTRAL_LIST, short_ids=True)),
    _Known(("<tool_call>", "<function="), Family("qwen-coder", _THINK, QWEN_CODER)),
    _Known(
        ("<tool_call>", "<arg_key>"),
        Family("glm", _THINK, GLM, quiet="<arg_key></arg_key><arg_value></arg_value>"),
    ),
    _Known(("<tool_call>",), Family("hermes", _THINK, HERMES)),
    _Known(("<|tool_call|>", "<|/tool_call|>"), Family("phi", _THINK, PHI)),
    _Known(
        ("<|tool_call|>",),
        Family("granite", Thoughts("Here is my thought process:", "Here is my response:"), GRANITE),
    ),
    _Known(
        ("<|START_ACTION|>",),
        Family(
            "cohere", Thoughts("<|START_THINKING|>", "<|END_THINKING|>"), COHERE,
            quiet=_COHERE_FRAME.replace("\\", ""), dropped=_COHERE_FRAME,
        ),
    ),
    _Known(("<|tool_call_start|>",), Family("lfm", _THINK, LFM)),
    _Known(("<|python_start|>",), Family("llama-4", None, PYTHONIC)),
    _Known(("<|python_tag|>",), Family("llama-3", None, LLAMA)),
    _Known(("ipython", '"parameters"'), Family("llama-3", None, LLAMA)),
    _Known(("[THINK]",), Family("magistral", _MISTRAL_THINK)),
    _Known(("</think>",), Family("think", _THINK)),
)  # fmt: skip


def find_family(tokenizer: Tokenizer) -> Family:
    """The family of a model: by its chat templates, else by its special tokens; its own response template goes first.

    One that was recognised tells how calls are constrained, even if they are read as the model itself describes.
    """
    text = "\n".join((tokenizer.chat_template or "", *tokenizer.chat_templates.values()))
    found = next((known.family for known in _KNOWN if all(need in text for need in known.needs)), Family("none"))
    if found.plain and tokenizer.find("<think>") is not None and tokenizer.find("</think>") is not None:
        found = Family("think", _THINK)
    return evolve(found, response=tokenizer.response_template, tells="tools" in text)
