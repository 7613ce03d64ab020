"""What is known of a request before it is the engine's turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from uml_core.errors import ContextLengthExceededError
from uml_core.worker.requests import ChatRequest, CompletionRequest, GenerationRequest, wrong
from uml_core.worker.text.chat import Chats, PreparedChat
from uml_core.worker.text.constraint import Constraint
from uml_core.worker.text.grammar import Grammar, grammar_of
from uml_core.worker.text.model import TokenModel
from uml_core.worker.text.sampling import Sampling, read_sampling
from uml_core.worker.text.slots import Slot
from uml_core.worker.text.tokenizer import Tokenizer
from uml_core.worker.text.turn import Turn
from uml_core.worker.text.wording import ChatWording, Wording

if TYPE_CHECKING:
    from llguidance import LLMatcher


@frozen
class Prepared:
    """A request that can be computed; each of its ``n`` answers begins with it.

    ``room`` is the most tokens of one, ``param`` the field that ``matcher`` comes from.
    """

    tokens: list[int] = field(repr=False)
    room: int
    sampling: Sampling
    matcher: LLMatcher | None = None
    param: str = ""
    chat: PreparedChat | None = None

    def turn(self, slot: Slot, request: GenerationRequest, tokenizer: Tokenizer) -> Turn:
        """One answer's turn in *slot*."""
        constraint = None if self.matcher is None else Constraint(self.matcher, tokenizer, self.param)
        choice = self.sampling.choice(request.seed)
        turn = Turn(slot, choice, constraint=constraint, cancelled=request.cancelled)
        if self.sampling.penalizes:
            turn.penalize(self.tokens, self.sampling.last_n)
        return turn

    def wording(self, tokenizer: Tokenizer, request: GenerationRequest) -> Wording:
        """What puts one answer into words."""
        return ChatWording(tokenizer, request, self.chat) if self.chat else Wording(tokenizer, request)


class Preparation:
    """Prepares the requests for one model; safe to be used from several threads."""

    def __init__(self, model: TokenModel, chats: Chats) -> None:
        self._tokenizer, self._chats = model.tokenizer, chats
        self._context_length = model.context_length

    def of(self, request: GenerationRequest) -> Prepared:
        """Render, tokenize, compile. May take a second.

        :raises UMLError: what the request wants can't be; ``param`` names the field
        """
        if isinstance(request, ChatRequest):
            chat = self._chats.prepare(request)
            tokens = self._tokenizer.encode(chat.prompt, add_special=self._tokenizer.adds_to_chats)
            return self._prepared(request, tokens, chat.grammar, chat)
        if not isinstance(request, CompletionRequest):
            raise TypeError(f"no text is made for a {type(request).__name__}")
        return self._prepared(request, self._prompt(request), grammar_of(request), None)

    def _prepared(
        self, request: GenerationRequest, tokens: list[int], grammar: Grammar | None, chat: PreparedChat | None
    ) -> Prepared:
        room = self._context_length - len(tokens)
        if room < 1:
            raise ContextLengthExceededError(
                f"the prompt has {len(tokens)} tokens, but the context holds {self._context_length} with the answer"
            )
        sampling = read_sampling(request, self._tokenizer)
        matcher = grammar.matcher(self._tokenizer) if grammar else None
        room = min(room, request.max_tokens or room)
        return Prepared(tokens, room, sampling, matcher, grammar.param if grammar else "", chat)

    def _prompt(self, request: CompletionRequest) -> list[int]:
        said = request.prompt
        tokens = self._tokenizer.encode(said, add_special=True) if isinstance(said, str) else list(said)
        if not tokens or not all(0 <= token < self._tokenizer.n_vocab for token in tokens):
            raise wrong("prompt", "must be a text, or tokens that the model knows; not empty")
        return tokens
