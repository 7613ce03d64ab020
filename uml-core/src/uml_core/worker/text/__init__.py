"""The text layer: what every engine that gives logits needs around its token loop, written once.

An engine brings a :class:`TokenModel`; chat templates, batches, sampling, constraints, stop texts, tool calls, thoughts
and log probabilities are done here. Needs the extra ``uml-core[text]``.
"""

from uml_core.worker.text.choice import Choice, Chosen, Sampler
from uml_core.worker.text.engine import TextEngine
from uml_core.worker.text.hf_tokenizer import HuggingFaceTokenizer
from uml_core.worker.text.model import Row, TokenModel
from uml_core.worker.text.tokenizer import Tokenizer

__all__ = ("Choice", "Chosen", "HuggingFaceTokenizer", "Row", "Sampler", "TextEngine", "TokenModel", "Tokenizer")
