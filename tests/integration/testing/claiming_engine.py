"""An engine that can do all that the conformance kit asks of those who claim it; its quirk is what it does wrong."""

import base64
import json
import math
import random
import struct

from uml_core.errors import ContextLengthExceededError
from uml_core.worker import Delta, TokenLogprob, ToolCallDelta, TopLogprob, Whole, serve

LIMIT = 512


class Engine:
    honours = ("logprobs", "response_format", "tools")

    def __init__(self, quirk):
        self.quirk = quirk
        self.read = set()

    def chat(self, request):
        prompt = json.dumps(request.text_messages())
        calls = request.extra.get("tools") and request.extra.get("tool_choice") != "none"
        yield from self.begin(prompt)
        if calls and self.quirk != "talks":
            yield from self.call()
        elif request.extra.get("response_format") and self.quirk != "talks":
            yield from self.write_json(request)
        else:
            yield from self.talk(request)

    def complete(self, request):
        yield from self.begin(request.prompt)
        yield from self.talk(request)

    def begin(self, prompt):
        words = prompt.split()
        if len(words) >= LIMIT:
            raise ContextLengthExceededError("too long")
        known = len(words) if prompt in self.read and self.quirk != "forgets" else 0
        self.read.add(prompt)
        yield Delta(prompt_tokens=len(words), cached_tokens=known)

    def talk(self, request):
        seed = None if self.quirk == "any_seed" else request.seed
        dice = random.Random(seed if request.temperature else 0)
        if self.quirk == "mixes":
            dice = random.Random(request.index)
        for _ in range(20):
            word = dice.choice(("ä ", "b ", "c ", "d "))
            yield Delta(word, logprobs=self.logprobs(word)) if request.logprobs else word

    def logprobs(self, word):
        likely = [TopLogprob(word, word.encode(), -0.1), TopLogprob("z", b"z", -3.0)]
        if self.quirk == "probabilities":
            likely = [TopLogprob(word, word.encode(), math.exp(-0.1)), likely[1]]
        return (TokenLogprob(word, word.encode(), likely[0].logprob, tuple(likely)),)

    def call(self):
        arguments = {"kind": "dög", "on": True, "level": None}
        if self.quirk == "anything":
            arguments = {"kind": "dog"}
        yield Delta(tool_calls=(ToolCallDelta(0, "call_7", "set_light"),))
        for letter in json.dumps(arguments):
            begin = ("call_7", "set_light") if self.quirk == "repeats" else (None, None)
            yield Delta(tool_calls=(ToolCallDelta(0, *begin, arguments=letter),))

    def write_json(self, request):
        dice = random.Random(request.seed if request.temperature else 0)
        level = 3 if self.quirk == "anything" else dice.choice((1, 2, None))
        yield from json.dumps({"kind": dice.choice(("cat", "dög")), "on": True, "level": level})

    def embed(self, request):
        texts = [str(text) for text in request.inputs]
        if any(len(text.split()) >= LIMIT for text in texts):
            raise ContextLengthExceededError("too long")
        vectors = [self.vector(text, len(texts)) for text in texts]
        if self.quirk == "sorts":
            vectors = [vectors[at] for at in sorted(range(len(texts)), key=lambda at: len(texts[at]))]
        tokens = sum(len(text.split()) for text in texts)
        code = coded if request.encoding == "base64" else list
        data = [{"index": at, "object": "embedding", "embedding": code(each)} for at, each in enumerate(vectors)]
        yield whole(tokens, data=data)

    def vector(self, text, many):
        dice = random.Random(text + ("x" * many if self.quirk == "sees_padding" else ""))
        if self.quirk == "overflows":
            return [math.inf, 1.0]
        return [struct.unpack("<f", struct.pack("<f", dice.gauss()))[0] for _ in range(8)]

    def rank(self, request):
        scored = [
            {"index": at, "relevance_score": float(len(set(text) & set(request.query)))}
            for at, text in enumerate(request.documents)
        ]
        scored.sort(key=lambda result: result["relevance_score"], reverse=self.quirk != "worst_first")
        yield whole(5, results=scored[: request.top_n])

    def classify(self, request):
        shares = [2.5, -1.0] if self.quirk == "logits" else [0.75, 0.25]
        data = [
            {"index": at, "label": "good", "probs": shares, "num_classes": 2} for at, _ in enumerate(request.inputs)
        ]
        yield whole(5, data=data)


def whole(tokens, **parts):
    body = {"object": "list", **parts, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
    return Whole(json.dumps(body).encode())


def coded(vector):
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


if __name__ == "__main__":
    serve(lambda plan, progress: Engine(plan.options["quirk"]))
