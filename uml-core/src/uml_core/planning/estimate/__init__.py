"""How much memory a load takes, from the model's card alone: where, of which kind, and between which bounds."""

from uml_core.planning.estimate.estimator import Estimator

__all__ = ("Estimator",)
