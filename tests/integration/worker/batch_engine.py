"""A batch engine that does what the last message says; what happened to it is told on stderr."""

import json
import random
import sys
import time

from attrs import evolve

from uml_core.errors import BadRequestError
from uml_core.worker import WAIT, Delta, TokenLogprob, ToolCallDelta, TopLogprob, Whole, serve

PACE_S = 0.002


def tell(line):
    print(line, file=sys.stderr, flush=True)


class Engine:
    honours = ("tools", "logprobs", "stop", "max_tokens")
    parallel = 4

    def __init__(self):
        self.steps = 0
        self.fails = False

    def prepare(self, request):
        words = getattr(request, "messages", [{"content": ""}])[-1]["content"].split()
        tell(f"prepare {' '.join(words)}")
        if words[:1] == ["refuse"]:
            raise BadRequestError("not that", param="messages")
        if words[:1] == ["stumble"]:
            raise LookupError("over its own feet")
        if words[:1] == ["ponder"]:
            while not request.cancelled():
                time.sleep(0.01)
            tell("noticed")
        if words[:1] == ["sleep"]:
            time.sleep(60)
        return evolve(request, prepared=words) if words else request

    def chat(self, request):
        order, *rest = request.prepared
        tell(f"begin {order} {' '.join(rest)}")
        yield Delta(prompt_tokens=4, cached_tokens=request.index)
        try:
            yield from getattr(self, order)(request, *rest)
        finally:
            tell(f"end {order} {' '.join(rest)}")

    def count(self, request, most):
        for number in range(int(most)):
            yield WAIT
            yield f"{number} "

    def roll(self, request):
        dice = random.Random(request.seed)
        yield WAIT
        yield str(dice.random())

    def break_down(self, request):
        self.fails = True
        yield WAIT

    def call(self, request, name, arguments):
        yield Delta(reasoning="a tool")
        yield Delta(tool_calls=(ToolCallDelta(0, "call_1", name),))
        for character in arguments:
            yield WAIT
            yield Delta(tool_calls=(ToolCallDelta(0, arguments=character),))
        yield Delta(finish_reason="stop", completion_tokens=9, reasoning_tokens=2)

    def spell(self, request, word):
        for letter in word:
            yield WAIT
            one = TopLogprob(letter, letter.encode(), -0.5)
            yield Delta(letter, logprobs=(TokenLogprob(letter, letter.encode(), -0.5, (one,) * request.logprobs),))

    def embed(self, request):
        for text in request.inputs:
            yield Delta()
            if text == "fail":
                raise RuntimeError("no vector")
        yield Whole(json.dumps({"object": "list", "of": request.inputs}).encode())

    def step(self):
        self.steps += 1
        time.sleep(PACE_S)
        if self.fails:
            self.fails = False
            raise RuntimeError("the step's own words")

    def close(self):
        tell("engine closed")


if __name__ == "__main__":
    serve(lambda plan, progress: Engine())
