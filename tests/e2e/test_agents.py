"""What people write against OpenAI's API, with each backend: the client's parse helpers, an agent's tool loop."""

from enum import Enum

import openai
import pydantic
import pytest

pytestmark = pytest.mark.engine
WEATHER = "What is the weather in Paris and Rome?"


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Part(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=8)
    amount: int = pydantic.Field(ge=0, le=100)
    colour: Colour | None


class Order(pydantic.BaseModel):
    number: int = pydantic.Field(ge=1, le=9999)
    parts: list[Part] = pydantic.Field(min_length=1, max_length=2)


class GetWeather(pydantic.BaseModel):
    """The weather in a city."""

    city: str = pydantic.Field(max_length=12)


def test_parse(tiny_loaded):
    answer = tiny_loaded.openai.chat.completions.parse(
        model=tiny_loaded.model,
        messages=[{"role": "user", "content": "Hello"}],
        response_format=Order,
        max_tokens=600,
        temperature=0,
    )
    assert isinstance(answer.choices[0].message.parsed, Order)


def test_parse_while_it_streams(tiny_loaded):
    with tiny_loaded.openai.chat.completions.stream(
        model=tiny_loaded.model,
        messages=[{"role": "user", "content": "Hello"}],
        response_format=Order,
        max_tokens=600,
        temperature=0,
    ) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert isinstance(final.choices[0].message.parsed, Order)


def test_parse_of_a_tool_call(tiny_loaded):
    answer = tiny_loaded.openai.chat.completions.parse(
        model=tiny_loaded.model,
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[openai.pydantic_function_tool(GetWeather, name="get_weather")],
        max_tokens=100,
        temperature=0,
    )
    (call,) = answer.choices[0].message.tool_calls
    assert call.function.parsed_arguments == GetWeather(city="Paris")


@pytest.fixture
async def agent(tiny_loaded):
    """An agent of pydantic-ai's that asks the gateway, and a list of what its tool was asked."""
    pytest.importorskip("pydantic_ai")
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    # a client of its own: that of the library is kept for all, and so bound to the event loop of the test before
    client = openai.AsyncOpenAI(base_url=f"{tiny_loaded.url}/v1", api_key="none", max_retries=0, timeout=60)
    provider = OpenAIProvider(openai_client=client)
    made = Agent(
        OpenAIChatModel(tiny_loaded.model, provider=provider), model_settings={"temperature": 0, "max_tokens": 100}
    )
    asked = []

    @made.tool_plain
    def get_weather(city: str) -> str:
        asked.append(city)
        return {"Paris": "sunny", "Rome": "rainy"}[city]

    async with client:
        yield made, asked


async def test_an_agent_calls_its_tool_and_says_what_came(agent):
    made, asked = agent
    result = await made.run(WEATHER)
    assert sorted(asked) == ["Paris", "Rome"]
    assert result.output == "It is sunny in Paris and rainy in Rome."


async def test_an_agent_that_streams(agent):
    made, asked = agent
    async with made.run_stream(WEATHER) as result:
        said = await result.get_output()
    assert sorted(asked) == ["Paris", "Rome"]
    assert said == "It is sunny in Paris and rainy in Rome."
