"""The worker: the only process that holds the model."""

from collections.abc import Callable, Iterator

from uml_core.errors import ContextLengthExceededError
from uml_core.types import Plan
from uml_core.worker import ChatRequest, CompletionRequest, Delta, GenerationRequest, Piece, serve


class Engine:
    def __init__(self, plan: Plan, progress: Callable[[float], None]) -> None:
        from uml_template.markov import Chain  # your engine, imported only here

        self.chain = Chain(plan.model.path, order=plan.options["order"], progress=progress)
        self.limit = plan.context_length

    def chat(self, request: ChatRequest) -> Iterator[Piece]:
        return self.go_on(" ".join(message["content"] for message in request.text_messages()), request)

    def complete(self, request: CompletionRequest) -> Iterator[Piece]:
        return self.go_on(str(request.prompt), request)

    def go_on(self, prompt: str, request: GenerationRequest) -> Iterator[Piece]:
        words = prompt.split()
        if len(words) >= self.limit:
            raise ContextLengthExceededError(f"the prompt has {len(words)} words, the context holds {self.limit}")
        yield Delta(prompt_tokens=len(words))
        yield from self.chain.go_on(words, count=self.limit - len(words), seed=request.seed)


if __name__ == "__main__":
    serve(Engine)
