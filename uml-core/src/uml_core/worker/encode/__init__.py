"""The embedding layer: embeddings, reranking and classification around one call of a model, written once.

An engine brings an :class:`EncoderModel`, and gives ``uml_core.worker.encode.engine.EncoderEngine(model, plan)`` to
``serve``. Needs the extra ``uml-core[text]``, but not for what is here.
"""

from uml_core.worker.encode.model import Encoded, EncoderModel, Outputs

__all__ = ("Encoded", "EncoderModel", "Outputs")
