"""What an answer must follow: what each kind of rule allows, and what is refused."""

from contextlib import suppress

import pytest

from uml_core.errors import BadRequestError
from uml_core.worker.requests import CompletionRequest
from uml_core.worker.text.constraint import Constraint
from uml_core.worker.text.grammar import grammar_of

CHAIN = {
    "$defs": {"n": {"type": "object", "properties": {"c": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}},
                    "required": ["c"]}},
    "$ref": "#/$defs/n",
}  # fmt: skip
CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}}
ALLOWED = [
    ({"regex": "^[0-9]+/é$"}, ["12/é"], ["é", "12/é "]),
    ({"grammar": 'root ::= "yes" | "no" item+\nitem ::= [a-z]+ "start"'}, ["yes", "noabstart"], ["x", "no"]),
    ({"grammar": 'start: "a" b\nb: /x+/'}, ["axx"], ["a"]),
    ({"response_format": {"type": "json_object"}}, ['{"a": [1, 2]}', '{\n  "a": [\n    1\n  ]\n}'], ["[1]", "{"]),
    ({"response_format": {"type": "json_object", "schema": CLOSED}}, ['{"a": "ü"}', "{}"], ['{"b": 1}']),
    ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": CLOSED}}},
     ['{"a":"x"}', "{}"], ['{"b":1}', '{"a": 1}']),
    ({"json_schema": CHAIN}, ['{"c": {"c": null}}'], ['{"c": 1}', "{}"]),
    ({"json_schema": {"allOf": [CLOSED, {"type": "object", "properties": {"b": {"type": "integer"}}}]}},
     ['{"a": "x", "b": 1}'], ['{"b": "x"}']),
    ({"json_schema": {**CLOSED, "additionalProperties": True}}, ['{"a": "x", "z": 1}'], []),
]  # fmt: skip


def grammar(body):
    return grammar_of(CompletionRequest.read({"prompt": "x", **body}))


def follows(matcher, tokens):
    return matcher.validate_tokens(tokens) == len(tokens) and matcher.consume_tokens(tokens) and matcher.is_accepting()


@pytest.mark.parametrize(("body", "fitting", "unfitting"), ALLOWED)
def test_rule_allows_what_fits_and_nothing_else(body, fitting, unfitting, tokenizer_of):
    tokenizer = tokenizer_of(None)
    matcher = grammar(body).matcher(tokenizer)
    for text in fitting:
        assert follows(matcher.deep_copy(), tokenizer.encode(text, add_special=False)), text
    for text in unfitting:
        assert not follows(matcher.deep_copy(), tokenizer.encode(text, add_special=False)), text


@pytest.mark.parametrize(
    "body", [{}, {"response_format": {"type": "text"}}, {"grammar": ""}, {"response_format": None}]
)
def test_nothing_asked_is_nothing_held(body):
    assert grammar(body) is None


def test_layout_has_an_end(tokenizer_of):
    tokenizer = tokenizer_of(None)
    matcher = grammar({"json_schema": {"type": "object"}}).matcher(tokenizer)
    tokens = tokenizer.encode("{" + "\n" * 100, add_special=False)
    assert matcher.validate_tokens(tokens) < 10


@pytest.mark.parametrize(
    ("body", "param", "word"),
    [
        ({"json_schema": {"type": "object", "properties": {"a": {"not": {}}}}}, "json_schema", "not"),
        ({"json_schema": {"type": "array", "uniqueItems": True}}, "json_schema", "uniqueItems"),
        ({"json_schema": {"$ref": "http://elsewhere/x"}}, "json_schema", "elsewhere"),
        ({"json_schema": {"type": "foo"}}, "json_schema", "foo"),
        ({"json_schema": 3}, "json_schema", "schema"),
        ({"regex": "(?=a)b"}, "regex", "look"),
        ({"grammar": "root = ="}, "grammar", "line 1"),
        ({"grammar": 'root ::= "a" foo'}, "grammar", "foo"),
        ({"grammar": "root ::= root"}, "grammar", "nothing that an answer could go on with"),
        ({"json_schema": {"$ref": "#"}}, "json_schema", "nothing that an answer could go on with"),
        ({"response_format": "x"}, "response_format", "json_object"),
        ({"response_format": {"type": "json_schema"}}, "response_format", "schema"),
        ({"json_schema": {"type": "integer"}, "regex": "a"}, "regex", "together"),
    ],
)
def test_what_cant_be_followed_is_named(body, param, word, tokenizer_of):
    tokenizer = tokenizer_of(None)
    with pytest.raises(BadRequestError, match=word) as caught:
        grammar(body).matcher(tokenizer)
    assert caught.value.param == param
    assert "\n" not in caught.value.message


def write(held, tokens):
    for token in tokens:
        held.mask()
        held.accept(token)


def test_a_pattern_that_grows_too_large_is_refused_when_it_does(tokenizer_of):
    tokenizer = tokenizer_of(None)
    held = Constraint(grammar({"regex": "a{100000000}"}).matcher(tokenizer), tokenizer, "regex")
    with pytest.raises(BadRequestError, match=r"'regex' can't be followed: .*too many expressions") as caught:
        write(held, tokenizer.encode("aaaaaaaa", add_special=False))
    assert caught.value.param == "regex"
    assert "state" not in caught.value.message


def test_hostile_schemas_are_refused_or_followed_but_never_crash(tokenizer_of):
    tokenizer = tokenizer_of(None)
    deep = {"type": "array"}
    for _ in range(200):
        deep = {"type": "array", "items": deep}
    hostile = [
        deep,
        {"type": "string", "pattern": "(a+)+$"},
        {"type": "string", "pattern": "a{1,100000}b{1,100000}"},
        {"enum": ["x" * 1000] * 500},
        {"$ref": "#"},
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"type": "object", "properties": {str(n): {"type": "string"} for n in range(1000)}},
        {"type": ["object", "array", "string"], "minItems": 10**9, "minLength": 10**9},
        {"anyOf": []},
        {"properties": {"": {"const": "\u0000"}}},
    ]
    for schema in hostile:
        with suppress(BadRequestError):
            grammar({"json_schema": schema}).matcher(tokenizer).compute_bitmask()
