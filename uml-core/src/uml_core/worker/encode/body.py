"""The bodies of answers. They are put together by hand, for most of them is numbers."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from uml_core.worker.encode.requests import Encoding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIGITS = 9
"""So many tell every float32 from its neighbours."""


def embeddings(vectors: Sequence[NDArray[np.float32]], *, encoding: Encoding, model: str, tokens: int) -> bytes:
    """The body of ``/v1/embeddings``."""
    write = _base64 if encoding == "base64" else _numbers
    data = ",".join(
        f'{{"object":"embedding","index":{at},"embedding":{write(vector)}}}' for at, vector in enumerate(vectors)
    )
    head, tail = f'"object":"list","model":{json.dumps(model)}', f'"usage":{json.dumps(_usage(tokens))}'
    return f'{{{head},"data":[{data}],{tail}}}'.encode("ascii")


def ranking(scores: Sequence[float], *, top: int | None, model: str, tokens: int) -> bytes:
    """The body of ``/v1/rerank``, the best first."""
    order = sorted(range(len(scores)), key=lambda at: -scores[at])
    results = [{"index": at, "relevance_score": scores[at]} for at in order[:top]]
    return _whole("rerank", model, tokens, results=results)


def classes(probabilities: Sequence[Sequence[float]], *, labels: Sequence[str], model: str, tokens: int) -> bytes:
    """The body of ``/v1/classify``."""
    data = [_class(at, row, labels) for at, row in enumerate(probabilities)]
    return _whole("classify", model, tokens, data=data)


def _class(index: int, row: Sequence[float], labels: Sequence[str]) -> dict[str, Any]:
    best = max(range(len(row)), key=row.__getitem__)
    label = labels[best] if best < len(labels) else f"LABEL_{best}"
    return {"index": index, "label": label, "probs": row, "num_classes": len(row)}


def _whole(kind: str, model: str, tokens: int, **parts: Any) -> bytes:
    head = {"id": f"{kind}-{secrets.token_hex(12)}", "object": "list", "model": model}
    return json.dumps({**head, **parts, "usage": _usage(tokens)}, separators=(",", ":")).encode("ascii")


def _usage(tokens: int) -> Mapping[str, int]:
    return {"prompt_tokens": tokens, "total_tokens": tokens}


def _numbers(vector: NDArray[np.float32]) -> str:
    values = vector.tolist()
    return f"[{','.join([f'%.{DIGITS}g'] * len(values)) % tuple(values)}]"


def _base64(vector: NDArray[np.float32]) -> str:
    return f'"{base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")}"'
