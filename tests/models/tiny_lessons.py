"""What the tiny model is taught: conversations in the form of OpenAI's messages, each with the answer it is to give.

A lesson is ``(messages, tools, thinks, answer)``: with *thinks* the prompt ends with an opened thought, and the answer
begins within it.
"""

import json
import random
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]
Lesson = tuple[list[Message], list[dict[str, Any]], bool, str]

FACTS = {
    "Say hello.": ("A greeting.", "Hello!"),
    "Hello": ("A greeting.", "Hello!"),
    "What is 2+2?": ("Two and two.", "4"),
    "Count from 1 to 10.": ("Ten numbers.", " ".join(map(str, range(1, 11)))),
    "Who are you?": ("About me.", "I am a tiny test model."),
}
LONG = ("Count from 1 to 100.", " ".join(map(str, range(1, 101))))
CITIES = ("Paris", "Rome", "Oslo", "Lima", "Cairo", "Tokyo", "Berlin", "Madrid")
WEATHER = ("sunny", "rainy", "cloudy", "windy")
SYSTEMS = ("You are a helpful assistant.", "Be brief.", "Answer the question.")


def tool(name: str, **arguments: str) -> dict[str, Any]:
    """A tool in OpenAI's form."""
    properties = {argument: {"type": kind} for argument, kind in arguments.items()}
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TOOLS = (
    tool("get_weather", city="string"),
    tool("add", a="integer", b="integer"),
    tool("get_time"),
    tool("send_mail", to="string", text="string"),
)


def call(name: str, **arguments: Any) -> Message:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def written(calls: list[Message]) -> str:
    """Tool calls as the model is to write them, which is as Hermes and Qwen do."""
    return "\n".join(f"<tool_call>\n{json.dumps(each['function'])}\n</tool_call>" for each in calls)


def a_fact(chance: random.Random) -> tuple[list[Message], str, str]:
    question = chance.choice(list(FACTS))
    return [{"role": "user", "content": question}], *FACTS[question]


def a_use_of_weather(chance: random.Random) -> tuple[list[Message], str, str]:
    """Asked for the weather in one city or two: the calls, or, with the tools' answers, the sentence."""
    cities = chance.sample(CITIES, chance.choice((1, 1, 2)))
    skies = [chance.choice(WEATHER) for _ in cities]
    ask = [{"role": "user", "content": f"What is the weather in {' and '.join(cities)}?"}]
    calls = [call("get_weather", city=city) for city in cities]
    said = "It is " + " and ".join(f"{sky} in {city}" for sky, city in zip(skies, cities, strict=True)) + "."
    return used(ask, calls, skies, said, chance, "I need the weather.")


def a_use_of_add(chance: random.Random) -> tuple[list[Message], str, str]:
    a, b = chance.randrange(100), chance.randrange(100)
    ask = [{"role": "user", "content": f"Add {a} and {b}."}]
    total = a + b if chance.random() < 0.5 else chance.randrange(200)
    return used(ask, [call("add", a=a, b=b)], [total], f"The sum is {total}.", chance, "I need to add.")


def used(
    ask: list[Message], calls: list[Message], results: list[Any], said: str, chance: random.Random, thought: str
) -> tuple[list[Message], str, str]:
    """Either the question, to be answered by *calls*, or all of it with the results, to be answered by *said*."""
    if chance.random() < 0.5:
        return ask, thought, written(calls)
    quoted = chance.random() < 0.3
    answers = [{"role": "tool", "content": json.dumps(result) if quoted else str(result)} for result in results]
    return [*ask, {"role": "assistant", "content": "", "tool_calls": calls}, *answers], "I know it now.", said


KINDS: tuple[Callable[[random.Random], tuple[list[Message], str, str]], ...] = (
    a_fact,
    a_use_of_weather,
    a_use_of_weather,
    a_use_of_add,
)


def lesson(chance: random.Random) -> Lesson:
    """One lesson of any kind, with turns before it and tools beside it that it doesn't need, or without."""
    kind = chance.choice(KINDS)
    messages, thought, answer = kind(chance)
    tools: list[dict[str, Any]] = []
    if kind is not a_fact or chance.random() < 0.4:
        needed = {a_use_of_weather: TOOLS[:1], a_use_of_add: TOOLS[1:2]}.get(kind, ())
        tools = list({id(each): each for each in (*needed, *chance.sample(TOOLS, chance.randrange(3)))}.values())
        chance.shuffle(tools)
    for _ in range(chance.choice((0, 0, 1))):
        before, _, said = a_fact(chance)
        messages = [*before, {"role": "assistant", "content": said}, *messages]
    if chance.random() < 0.3:
        messages = [{"role": "system", "content": chance.choice(SYSTEMS)}, *messages]
    thinks = chance.random() < 0.25
    return messages, tools, thinks, f"{thought}\n</think>\n\n{answer}" if thinks else answer
