"""Which family a model belongs to."""

import pytest

from uml_core.worker.text.families import find_family

NAMES = {
    "{{ '<|start|>assistant<|channel|>' }}<|message|>": "harmony",
    "<|tool_call>call: <tool_call|>": "gemma-4",
    "<tool_call>\n{'name'}": "hermes",
    "<tool_call>\n<function=x>": "qwen-coder",
    "<tool_call>x<arg_key>": "glm",
    "[TOOL_CALLS]": "mistral-v3",
    "[TOOL_CALLS]x[ARGS]": "mistral",
    "<|python_tag|>": "llama-3",
    'ipython {"name": function name, "parameters": {}}': "llama-3",
    "{% set content = content.split('</think>') %}": "think",
    "<|im_start|>": "none",
}


@pytest.mark.parametrize(("template", "name"), NAMES.items())
def test_family_is_recognised_by_the_template(template, name, tokenizer_of):
    assert find_family(tokenizer_of(template)).name == name


def test_family_is_recognised_by_special_tokens(tokenizer_of):
    assert find_family(tokenizer_of("<|im_start|>", ["<think>", "</think>"])).name == "think"


def test_tool_use_template_counts_too(tokenizer_of):
    tokenizer = tokenizer_of("<|im_start|>")
    tokenizer.chat_templates = {"tool_use": "{{ tools }} <tool_call>"}
    family = find_family(tokenizer)
    assert (family.name, family.tells) == ("hermes", True)


@pytest.mark.parametrize(
    ("template", "shown", "hidden"),
    [
        ("<tool_call>", ["<tool_call>", "</tool_call>", "<think>", "</think>"], ["<|im_start|>", "<s>"]),
        ("<|channel|><|message|>", ["<|channel|>", "<|start|>", "<|end|>", "<|constrain|>"], ["<|endofprompt|>"]),
        ("[TOOL_CALLS][ARGS]", ["[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "[THINK]"], ["[INST]"]),
        ("<|tool_call>", ["<|tool_call>", '<|"|>', "<channel|>"], ["<turn|>"]),
    ],
)
def test_only_special_tokens_of_the_family_are_shown(template, shown, hidden, tokenizer_of):
    family = find_family(tokenizer_of(template))
    assert all(family.shows(mark) for mark in shown)
    assert not any(family.shows(mark) for mark in hidden)
