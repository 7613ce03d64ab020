"""PyTorch checkpoints: a bounded reader of the pickles in them that runs nothing."""

from uml_core.inspection.pytorch.checkpoint import Checkpoint, read_checkpoint
from uml_core.inspection.pytorch.source import MARKS, NAME, SUFFIXES, claims, read

__all__ = ("MARKS", "NAME", "SUFFIXES", "Checkpoint", "claims", "read", "read_checkpoint")
