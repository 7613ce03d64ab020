"""``/v1/chat/completions``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from uml_core.errors import TaskNotSupportedError
from uml_core.tasks.probe import probe
from uml_core.tasks.sampling import SamplingRequest
from uml_core.tasks.structured import JsonSchema
from uml_core.types import Task, Worker, WorkerResponse

PATH = "/v1/chat/completions"
Name = Annotated[str, Field(max_length=256)]
TemplateArgument = Annotated[str, Field(max_length=4096)] | bool | int | float | None
TemplateArguments = Annotated[dict[Annotated[str, Field(max_length=64)], TemplateArgument], Field(max_length=32)]
Documents = Annotated[list[Annotated[dict[Name, str], Field(max_length=32)]], Field(max_length=256)]


class ChatCompletionRequestMessageContentPartText(BaseModel):
    """A piece of text in a message."""

    type: Literal["text"]
    text: str


class ChatCompletionMessageToolCallFunction(BaseModel):
    """What the model called, with its arguments as it wrote them."""

    name: Name
    arguments: str


class ChatCompletionMessageToolCall(BaseModel):
    """A call that the model made earlier in the conversation."""

    id: Annotated[str, Field(max_length=256)]
    type: Literal["function"] = "function"
    function: ChatCompletionMessageToolCallFunction


class ChatCompletionRequestMessage(BaseModel):
    """One turn of the conversation."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ChatCompletionRequestMessageContentPartText] | None = None
    name: Name | None = None
    tool_calls: Annotated[list[ChatCompletionMessageToolCall], Field(max_length=128)] | None = None
    tool_call_id: Annotated[str, Field(max_length=256)] | None = None
    reasoning_content: str | None = Field(None, description="what the model thought before it answered, if it said so")
    reasoning: str | None = Field(None, description="another name of `reasoning_content`")

    @field_validator("content", mode="before")
    @classmethod
    def _text_only(cls, content: Any) -> Any:
        if isinstance(content, list):
            kinds = (part.get("type") for part in content if isinstance(part, dict))
            other = next((kind for kind in kinds if isinstance(kind, str) and kind != "text"), None)
            if other is not None:
                raise TaskNotSupportedError(
                    f"a message has a part of type '{other[:64]}', but this server reads only text parts; leave it out",
                    param="messages",
                )
        return content


class FunctionObject(BaseModel):
    """A function that the model may call."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/-]{1,256}$", description="letters, digits and _.:/-")]
    description: Annotated[str, Field(max_length=64 * 1024)] | None = None
    parameters: JsonSchema | None = None
    strict: bool | None = None


class ChatCompletionTool(BaseModel):
    """A tool that the model may use."""

    type: Literal["function"]
    function: FunctionObject


class ChatCompletionNamedToolChoiceFunction(BaseModel):
    """The function that must be called."""

    name: Name


class ChatCompletionNamedToolChoice(BaseModel):
    """Says which tool must be used."""

    type: Literal["function"]
    function: ChatCompletionNamedToolChoiceFunction


class ResponseFormatJsonSchemaSchema(BaseModel):
    """A schema with a name."""

    name: Name | None = None
    description: Annotated[str, Field(max_length=64 * 1024)] | None = None
    schema_: JsonSchema | None = Field(None, alias="schema")
    strict: bool | None = None


class ResponseFormat(BaseModel):
    """Text, any JSON object, or JSON that follows a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: ResponseFormatJsonSchemaSchema | None = None
    schema_: JsonSchema | None = Field(
        None, alias="schema", description="llama.cpp's place for the schema of json_object"
    )


class CreateChatCompletionRequest(SamplingRequest):
    """The body of ``POST /v1/chat/completions``."""

    messages: Annotated[list[ChatCompletionRequestMessage], Field(min_length=1, max_length=16384)]
    max_completion_tokens: int | None = Field(None, ge=1, le=2**24, description="goes before `max_tokens`")
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    tools: Annotated[list[ChatCompletionTool], Field(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ChatCompletionNamedToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = Field(
        None, description="how much the model is to think; `none` and `minimal`: not at all, where it can be told so"
    )
    chat_template_kwargs: TemplateArguments | None = Field(
        None, description="what the model's chat template is told besides, such as `enable_thinking`"
    )
    documents: Documents | None = Field(None, description="texts that the answer is to be found in")
    continue_final_message: bool | None = Field(None, description="go on with the last message instead of a new one")
    add_generation_prompt: bool | None = Field(None, description="begin the assistant's turn; true by default")

    def forwarded(self, model_id: str) -> dict[str, Any]:
        body = super().forwarded(model_id)
        if (most := body.pop("max_completion_tokens", None)) is not None:
            body["max_tokens"] = most  # the one name that every engine knows
        return body


async def chat(request: CreateChatCompletionRequest, worker: Worker) -> WorkerResponse:
    """Forward a validated chat to the worker."""
    return await worker.post(PATH, request.forwarded(worker.model_id))


TASK = Task(name="text-generation", path=PATH, request=CreateChatCompletionRequest, handle=chat, probe=probe)
