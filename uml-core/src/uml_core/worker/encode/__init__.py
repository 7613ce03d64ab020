"""The embedding layer: embeddings, reranking and classification around one call of a model, written once.

An engine brings an :class:`EncoderModel`. Needs the extra ``uml-core[text]``.
"""

from uml_core.worker.encode.model import Encoded, EncoderModel, Outputs

__all__ = ("Encoded", "EncoderModel", "Outputs")
