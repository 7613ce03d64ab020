"""The conversation with the parent.

Frames on stdin and stdout are four bytes of length, most significant first, and JSON. The first one has the templates
by name and the limits, each further one a request; each gets an answer, ``{"text": …}`` or ``{"error": …}``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from .limits import limited
from .renderer import Renderer


def _receive() -> bytes | None:
    head = sys.stdin.buffer.read(4)
    return sys.stdin.buffer.read(int.from_bytes(head, "big")) if len(head) == 4 else None


def _send(answer: Mapping[str, Any]) -> None:
    said = json.dumps(answer).encode()
    sys.stdout.buffer.write(len(said).to_bytes(4, "big") + said)
    sys.stdout.buffer.flush()


def _answer(renderer: Renderer, request: Mapping[str, Any]) -> dict[str, str]:
    try:
        return {"text": renderer.render(request)}
    except MemoryError:
        return {"error": "it takes too much memory with them"}
    except Exception as error:  # noqa: BLE001 - whatever a program of somebody else raises
        return {"error": str(error) or type(error).__name__}


def main() -> None:
    """Answer until stdin ends, which it does when the parent is gone."""
    setup = json.loads(_receive() or b"{}")
    if not setup:
        return
    renderer = Renderer(setup["templates"], setup["names"], setup["longest"])
    while (frame := _receive()) is not None:
        request = json.loads(frame)
        with limited(setup["seconds"], setup["memory"] + 8 * len(frame)):
            answer = _answer(renderer, request)
        _send(answer)
