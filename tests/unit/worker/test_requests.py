import pytest

from uml_core.errors import BadRequestError
from uml_core.worker import ChatRequest, CompletionRequest

HELLO = [{"role": "user", "content": "hello"}]


def test_known_fields_are_read_and_the_rest_is_extra():
    body = {
        "model": "m",
        "stream": True,
        "stream_options": {},
        "messages": HELLO,
        "max_completion_tokens": 5,
        "temperature": 1,
        "top_k": 3,
        "stop": "END",
        "seed": 7,
        "typical_p": 0.5,
    }
    request = ChatRequest.read(body)
    assert request.messages == tuple(HELLO)
    assert (request.max_tokens, request.temperature, request.top_k, request.seed) == (5, 1.0, 3, 7)
    assert request.stop == ("END",)
    assert request.top_p is None
    assert request.extra == {"typical_p": 0.5}
    assert not request.cancelled()


def test_max_tokens_goes_before_its_newer_name_when_both_are_there():
    assert ChatRequest.read({"messages": HELLO, "max_tokens": 2, "max_completion_tokens": 5}).max_tokens == 2


def test_null_is_nothing_said():
    request = ChatRequest.read({"messages": HELLO, "max_tokens": None, "stop": None, "temperature": None})
    assert (request.max_tokens, request.stop, request.temperature) == (None, (), None)


@pytest.mark.parametrize(
    ("prompt", "read"), [("text", "text"), (["text"], "text"), ([1, 2], (1, 2)), ([[1, 2]], (1, 2)), ("", "")]
)
def test_prompts(prompt, read):
    assert CompletionRequest.read({"prompt": prompt}).prompt == read


@pytest.mark.parametrize("prompt", [None, 3, [], ["a", "b"], [1, "b"], [True], {}, [[]]])
def test_prompts_that_are_refused(prompt):
    with pytest.raises(BadRequestError, match="'prompt' must be one text") as raised:
        CompletionRequest.read({"prompt": prompt})
    assert raised.value.param == "prompt"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("hi", "hi"),
        (None, ""),
        ([], ""),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
    ],
)
def test_contents_as_text(content, text):
    request = ChatRequest.read({"messages": [{"role": "user", "name": "me", "content": content}]})
    assert request.text_messages() == [{"role": "user", "name": "me", "content": text}]


@pytest.mark.parametrize("content", [3, {}, ["a"], [{"type": "image_url"}], [{"type": "text"}], [None]])
def test_contents_that_are_no_text(content):
    with pytest.raises(BadRequestError, match="may hold only text"):
        ChatRequest.read({"messages": [{"role": "user", "content": content}]}).text_messages()


@pytest.mark.parametrize(
    ("prompt", "read"),
    [("a", ["a"]), (["a", "b"], ["a", "b"]), ([[1], [2, 3]], [(1,), (2, 3)]), ([1, 2], [(1, 2)])],
)
def test_several_prompts_are_several_requests(prompt, read):
    requests = CompletionRequest.read_all({"prompt": prompt, "n": 2, "seed": 5})
    assert [(request.prompt, request.n, request.seed) for request in requests] == [(each, 2, 5) for each in read]


@pytest.mark.parametrize(
    ("body", "param"), [({"prompt": ["a"] * 65, "n": 2}, "n"), ({"prompt": ["a"] * 129}, "prompt")]
)
def test_too_many_answers_at_once_are_refused(body, param):
    with pytest.raises(BadRequestError, match="several requests") as raised:
        CompletionRequest.read_all(body)
    assert raised.value.param == param


def test_each_of_n_answers_is_asked_for_by_itself():
    each = ChatRequest.read({"messages": HELLO, "n": 3, "seed": 7}).each()
    assert [(request.index, request.seed, request.n) for request in each] == [(0, 7, 3), (1, 8, 3), (2, 9, 3)]
    for said in ({}, {"seed": -1}):  # which is llama.cpp's word for none
        assert [request.seed for request in ChatRequest.read({"messages": HELLO, "n": 2, **said}).each()] == [
            None,
            None,
        ]


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        ({}, None),
        ({"logprobs": False}, None),
        ({"logprobs": True}, 0),
        ({"logprobs": True, "top_logprobs": 3}, 3),
        ({"top_logprobs": 0}, None),
    ],
    ids=str,
)
def test_logprobs_of_a_chat(fields, read):
    request = ChatRequest.read({"messages": HELLO, **fields})
    assert request.logprobs == read
    assert request.extra == {}


@pytest.mark.parametrize(("said", "read"), [(None, None), (0, 0), (5, 5)])
def test_logprobs_of_a_completion(said, read):
    assert CompletionRequest.read({"prompt": "x", "logprobs": said}).logprobs == read


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 0},
        {"n": 129},
        {"n": True},
        {"logprobs": 1},
        {"logprobs": True, "top_logprobs": 21},
        {"top_logprobs": 1},
        {"logprobs": True, "top_logprobs": "all"},
    ],
    ids=str,
)
def test_counts_out_of_their_bounds_are_refused(fields):
    with pytest.raises(BadRequestError):
        ChatRequest.read({"messages": HELLO, **fields})
