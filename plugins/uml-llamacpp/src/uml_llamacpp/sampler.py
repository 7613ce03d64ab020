"""The choice of the next token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import llama_cpp as c
from llama_cpp import llama_grammar

from uml_core.errors import BadRequestError
from uml_core.worker import GenerationRequest
from uml_llamacpp.model import Model

TEMPERATURE, TOP_K, TOP_P, MIN_P, REPEAT_LAST_N = 0.8, 40, 0.95, 0.05, 64
"""llama.cpp's own defaults."""


class Sampler:
    """llama.cpp's samplers in llama.cpp's order, as one request wants them."""

    def __init__(self, model: Model, request: GenerationRequest) -> None:
        """Make the chain.

        :raises BadRequestError: a grammar, a schema or a bias that can't be used
        """
        self._chain = c.llama_sampler_chain_init(c.llama_sampler_chain_default_params())
        try:
            self._fill(model, request)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        c.llama_sampler_free(self._chain)

    def next(self, context: Any) -> int:
        """Choose after the token that was computed last."""
        return int(c.llama_sampler_sample(self._chain, context, -1))

    def _fill(self, model: Model, request: GenerationRequest) -> None:
        if bias := request.extra.get("logit_bias"):
            self._add(c.llama_sampler_init_logit_bias(model.n_vocab, len(bias), _biases(bias, model.n_vocab)))
        self._add_penalties(model, request)
        if grammar := _grammar(request.extra):
            self._add_grammar(model, grammar)
        if request.temperature is not None and request.temperature <= 0:
            self._add(c.llama_sampler_init_greedy())
        else:
            self._add_chance(request)

    def _add_chance(self, request: GenerationRequest) -> None:
        self._add(c.llama_sampler_init_top_k(max(0, _or(request.top_k, TOP_K))))
        if (typical := request.extra.get("typical_p")) is not None:
            self._add(c.llama_sampler_init_typical(float(typical), 1))
        self._add(c.llama_sampler_init_top_p(_or(request.top_p, TOP_P), 1))
        self._add(c.llama_sampler_init_min_p(_or(request.min_p, MIN_P), 1))
        self._add(c.llama_sampler_init_temp(_or(request.temperature, TEMPERATURE)))
        self._add(c.llama_sampler_init_dist(_or(request.seed, c.LLAMA_DEFAULT_SEED) & 0xFFFFFFFF))

    def _add(self, sampler: Any) -> None:
        c.llama_sampler_chain_add(self._chain, sampler)

    def _add_penalties(self, model: Model, request: GenerationRequest) -> None:
        repeat = _or(request.repeat_penalty, 1.0)
        frequency, presence = _or(request.frequency_penalty, 0.0), _or(request.presence_penalty, 0.0)
        if (repeat, frequency, presence) != (1.0, 0.0, 0.0):
            last_n = request.extra.get("repeat_last_n", REPEAT_LAST_N)
            self._add(c.llama_sampler_init_penalties(model.n_vocab, last_n, repeat, frequency, presence))

    def _add_grammar(self, model: Model, grammar: str) -> None:
        sampler = c.llama_sampler_init_grammar(model.vocab, grammar.encode(), b"root")
        if not sampler:
            raise BadRequestError("the grammar can't be used: llama.cpp does not understand it", param="grammar")
        self._add(sampler)


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _biases(said: Any, n_vocab: int) -> Any:
    try:
        biases = {int(token): float(bias) for token, bias in said.items()}
    except (AttributeError, TypeError, ValueError):
        raise BadRequestError("'logit_bias' must map token numbers to numbers", param="logit_bias") from None
    if not all(0 <= token < n_vocab for token in biases):
        raise BadRequestError(f"'logit_bias' names a token beyond the model's {n_vocab}", param="logit_bias")
    return (c.llama_logit_bias * len(biases))(*biases.items())


def _grammar(extra: Mapping[str, Any]) -> str | None:
    if grammar := extra.get("grammar"):
        return str(grammar)
    if schema := extra.get("json_schema"):
        return _grammar_of(schema, "json_schema")
    wanted = extra.get("response_format") or {}
    kind = wanted.get("type") if isinstance(wanted, dict) else wanted
    if kind in {None, "text"}:
        return None
    if kind == "json_object":
        schema = wanted.get("schema")
        return _grammar_of(schema, "response_format") if schema else str(llama_grammar.JSON_GBNF)
    if kind == "json_schema" and isinstance(wanted.get("json_schema"), dict):
        return _grammar_of(wanted["json_schema"].get("schema"), "response_format")
    raise BadRequestError(
        "'response_format' must be text, json_object, or json_schema with a schema", param="response_format"
    )


def _grammar_of(schema: Any, param: str) -> str:
    try:
        return str(llama_grammar.json_schema_to_gbnf(json.dumps(schema)))
    except Exception as error:  # noqa: BLE001 - the converter raises whatever a schema makes it stumble over
        raise BadRequestError(f"the JSON schema can't be used: {type(error).__name__}: {error}", param=param) from None
