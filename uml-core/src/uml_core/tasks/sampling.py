"""What chat and text completion have in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from uml_core.errors import BadRequestError
from uml_core.tasks.structured import Choices, Grammar, JsonSchema, Pattern, StructuredOutputs, in_one_form

StopText = Annotated[str, StringConstraints(min_length=1, max_length=1024)]
TokenNumber = Annotated[str, StringConstraints(pattern=r"^\d{1,9}$")]
Bias = Annotated[float, Field(ge=-100, le=100)]


class ChatCompletionStreamOptions(BaseModel):
    """What a stream has besides its text."""

    include_usage: bool | None = Field(None, description="a last chunk counts the tokens")


class SamplingRequest(BaseModel):
    """The fields of both requests. Unknown fields are ignored and reach no engine; every number has its bounds."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    model: str | None = Field(
        None, max_length=512, description="id or alias of `GET /v1/models`; what is loaded when absent"
    )
    stream: bool | None = Field(None, description="answer with server-sent events")
    stream_options: ChatCompletionStreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: int | None = Field(None, ge=-1, le=2**20, description="0 or -1 takes all tokens")
    min_p: float | None = Field(None, ge=0, le=1)
    typical_p: float | None = Field(None, ge=0, le=1)
    repeat_penalty: float | None = Field(None, gt=0, le=10)
    repeat_last_n: int | None = Field(None, ge=-1, le=2**20)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    max_tokens: int | None = Field(None, ge=1, le=2**24)
    n: int | None = Field(None, ge=1, le=16, description="answers to one prompt")
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    stop: StopText | Annotated[list[StopText], Field(max_length=16)] | None = None
    logit_bias: Annotated[dict[TokenNumber, Bias], Field(max_length=1024)] | None = None
    grammar: Grammar | None = Field(None, description="GBNF or Lark that the answer must follow")
    regex: Pattern | None = Field(None, description="regular expression that the whole answer must match")
    structured_outputs: StructuredOutputs | None = None
    guided_json: JsonSchema | Grammar | None = Field(None, description="vLLM's older name of `json_schema`")
    guided_regex: Pattern | None = None
    guided_choice: Choices | None = None
    guided_grammar: Grammar | None = None
    json_schema: JsonSchema | None = Field(None, description="schema that the answer must follow")
    cache_prompt: bool | None = Field(None, description="reuse what the engine still has of an earlier prompt")

    @model_validator(mode="before")
    @classmethod
    def _refuse_template(cls, data: Any) -> Any:
        # a template is a program: 116 bytes of it have cost another server 55 seconds of CPU
        if isinstance(data, dict) and data.get("chat_template") is not None:
            raise BadRequestError(
                "'chat_template' can't come with a request; the model's own template is used",
                param="chat_template",
            )
        return data

    def forwarded(self, model_id: str) -> dict[str, Any]:
        """What the worker gets: the fields that the client set, the model's own name, and usage in every stream."""
        body = in_one_form(self.model_dump(exclude_unset=True, exclude_none=True, by_alias=True))
        body["model"] = model_id
        if body.get("stream"):
            body["stream_options"] = {"include_usage": True}
        return body
