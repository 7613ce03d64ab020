"""What chat templates may expect, as transformers has taught them to."""

from datetime import datetime

import pytest

from uml_core.errors import BadRequestError

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
USER = {"role": "user", "content": "hé"}
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"ü": 1}'}}
TOOL = {"type": "function", "function": {"name": "f", "description": "<d>", "parameters": {"type": "object"}}}


def test_prompt_for_the_assistants_turn(template):
    assert template(CHATML).render([USER]) == "<|im_start|>user\nhé<|im_end|>\n<|im_start|>assistant\n"


def test_special_tokens_and_arguments_are_there(template):
    made = template("{{ bos_token }}{% if enable_thinking is defined and not enable_thinking %}no{% endif %}")
    assert made.render([USER], arguments={"enable_thinking": False}) == "<s>no"


def test_own_names_go_before_arguments_that_nobody_allowed(template):
    assert template("{{ messages[0].content }}").render([USER], arguments={"messages": "x"}) == "hé"


def test_blocks_leave_no_white_space_and_loops_can_be_left(template):
    source = (
        "{% for m in messages %}\n  {% if loop.index > 1 %}\n{% break %}\n  {% endif %}\n{{ m.content }}\n{% endfor %}"
    )
    assert template(source).render([USER, USER]) == "hé\n"


def test_tojson_escapes_nothing(template):
    assert '"<d>"' in template("{{ tools[0] | tojson }}").render([USER], [TOOL])
    assert template("{{ tools[0].function.name | tojson(indent=2) }}").render([USER], [TOOL]) == '"f"'


def test_generation_tag_marks_nothing(template):
    assert template("a{% generation %}{{ messages[0].content }}{% endgeneration %}b").render([USER]) == "ahéb"


def test_todays_date(template):
    assert template("{{ strftime_now('%Y') }}").render([USER]) == str(datetime.now().year)  # noqa: DTZ005


def test_refusal_says_why(template):
    with pytest.raises(BadRequestError, match="only two roles") as caught:
        template("{{ raise_exception('only two roles') }}").render([USER])
    assert caught.value.param == "messages"


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages[1].tool_calls[0].function.arguments | tojson }}",
        "{{ messages[1].tool_calls[0].function.arguments }}",
        "{{ '' + messages[1].tool_calls[0].function.arguments }}",
        "{{ messages[1].tool_calls[0].function.arguments ~ '' }}",
        "{% set a = messages[1].tool_calls[0].function.arguments %}{{ a if a is string else a | tojson }}",
    ],
)
def test_arguments_are_json_however_they_are_written(source, template):
    assert template(source).render([USER, {"role": "assistant", "tool_calls": [CALL]}]) == '{"ü": 1}'


def test_refused_system_message_is_told_by_the_user(template):
    source = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + CHATML
    )
    text = template(source).render([{"role": "system", "content": "be kind"}, USER])
    assert text.startswith("<|im_start|>user\nbe kind\n\nhé<|im_end|>")


def test_template_that_reads_parts_gets_parts(template):
    inner = "{% for part in m.content %}{% if part.type == 'text' %}{{ part.text }}{% endif %}{% endfor %}"
    source = "{% for m in messages %}" + inner + "{% endfor %}"
    assert template(source).render([USER, {"role": "assistant", "content": None}]) == "hé"


def test_tool_template_is_used_for_tools(template):
    made = template("plain", tool_use="{{ tools[0].function.name }}")
    assert (made.render([USER]), made.render([USER], [TOOL])) == ("plain", "f")
    assert made.takes_tools


def test_last_message_is_continued(template):
    messages = [USER, {"role": "assistant", "content": "I think "}]
    text = template(CHATML).render(messages, arguments={"continue_final_message": True})
    assert text.endswith("<|im_start|>assistant\nI think ")


def test_message_that_the_template_leaves_out_cant_be_continued(template):
    with pytest.raises(BadRequestError, match="continued"):
        template("{{ messages[0].content }}").render(
            [USER, {"role": "assistant", "content": "x"}], arguments={"continue_final_message": True}
        )


def test_prompt_has_a_longest_length(template):
    made = template("{{ messages[0].content }}", longest=1000)
    assert len(made.render([{"role": "user", "content": "x" * 1000}])) == 1000
    with pytest.raises(BadRequestError, match="1000 characters"):
        made.render([{"role": "user", "content": "x" * 1001}])


def test_large_chat_is_rendered(template):
    made = template(CHATML, longest=1 << 25)
    text = "wörd " * 1_000_000
    assert text in made.render([{"role": "user", "content": text}])


def test_documents_are_told(template):
    assert template("{{ documents[0].text }}").render([USER], None, [{"text": "d"}]) == "d"
