"""Torch and transformers as a worker wants them: with the planned threads, offline, and without bars on stderr."""

from __future__ import annotations

import os
import warnings

from uml_core.types import Plan


def quiet(plan: Plan) -> None:
    """Import both. Idle threads wait as OpenMP was told by the environment."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    import torch
    from transformers.utils import logging

    torch.set_num_threads(plan.threads)
    torch.set_num_interop_threads(1) if torch.get_num_interop_threads() != 1 else None
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", module=r"(torch|transformers)\b")
