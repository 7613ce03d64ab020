"""The child's side: everything that a backend written in Python needs in its worker process.

Of the core it imports only the types and the errors; the parent's side never imports it. What crosses between the two
is argv, environment, HTTP in OpenAI's wire format, log lines and an exit code.
"""

from uml_core.types.worker import WORKER_PROTOCOL as PROTOCOL
from uml_core.worker.delta import WAIT, Delta, Piece, TokenLogprob, ToolCallDelta, TopLogprob, Whole
from uml_core.worker.process import serve
from uml_core.worker.requests import ChatRequest, CompletionRequest, GenerationRequest

__all__ = (
    "PROTOCOL",
    "WAIT",
    "ChatRequest",
    "CompletionRequest",
    "Delta",
    "GenerationRequest",
    "Piece",
    "TokenLogprob",
    "ToolCallDelta",
    "TopLogprob",
    "Whole",
    "serve",
)
