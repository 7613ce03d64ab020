"""What a load would take: llama.cpp lays out its buffers and allocates none. Run by ``python -m uml_llamacpp.probe``.

The parent reads the log, and ends this process as soon as it has told enough.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import llama_cpp as c

import uml_core.worker.server
import uml_core.worker.text  # noqa: F401 - what a worker holds beside its engine
from uml_core.types import ModelSource, Plan
from uml_core.worker.own_memory import own_bytes
from uml_llamacpp.encoder import encoder_parameters, encodes
from uml_llamacpp.log import EngineLog
from uml_llamacpp.options import Options
from uml_llamacpp.parameters import context_parameters, model_parameters

LIMIT_S = 15
"""When it ends by itself, should the parent be gone."""


def main() -> None:
    """Read path, numbers and options from stdin, and lay it out."""
    signal.alarm(LIMIT_S)
    said = json.load(sys.stdin)
    options = Options(**said["options"])
    log = EngineLog()
    print(f"uml: the empty worker holds {own_bytes()} bytes", file=sys.stderr, flush=True)
    c.llama_backend_init()
    parameters = model_parameters(options, lambda _: None)
    parameters.no_alloc, parameters.load_mode = True, c.LLAMA_LOAD_MODE_NONE  # it can't map and allocate nothing
    model = c.llama_model_load_from_file(os.fsencode(said["path"]), parameters)
    plan = _plan(said)
    made = encoder_parameters if encodes(plan) else context_parameters
    if model is None or c.llama_init_from_model(model, made(plan, options)) is None:
        sys.exit(log.why())
    signal.pause()


def _plan(said: Mapping[str, Any]) -> Plan:
    source = ModelSource(path=Path(said["path"]), format="gguf", files=(), size_bytes=0)
    numbers = {name: said[name] for name in ("context_length", "parallel", "threads")}
    return Plan(model_id="", model=source, backend="", tasks=tuple(said["tasks"]), **numbers)


if __name__ == "__main__":
    main()
