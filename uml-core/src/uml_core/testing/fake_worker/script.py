"""What a fake worker is to do."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from .process import leave, say

MAGIC = b"FAKE1\n"
EXIT_BAD_FILE = 3

WELL: dict[str, Any] = {
    "allocate_bytes": 0,
    "chunked": True,
    "context_length": 4096,
    "crash_count_file": None,
    "crash_first": None,
    "deaf": False,
    "device_bytes": 0,
    "flood_bytes": 0,
    "foreign_errors": False,
    "grandchild": "none",
    "load_s": 0.0,
    "log": (),
    "log_progress": False,
    "poison_after": 0,
    "poison_signal": int(signal.SIGSEGV),
    "prefill_activity": False,
    "probe_fault_count": 1,
    "quirk": "none",
    "prompt_bytes": 0,
    "report_progress": True,
    "run_file": False,
    "slow_prefill_s": 0.0,
    "stop_s": 0.0,
    "stream_fault_after": 3,
    "stream_signal": int(signal.SIGKILL),
    "text": "",
    "token_s": 0.0,
    "tokens": 8,
}
"""The keys that no worker fails by, and what they are when nobody says."""

FAULTY: dict[str, Any] = {
    "busy_hang": "none",
    "busy_hang_after": 3,
    "crash_after_requests": None,
    "crash_idle_after_s": None,
    "hold_gil": "none",
    "hold_gil_s": 0.0,
    "idle_hang_after_s": None,
    "ignore_term": False,
    "leak_bytes": 0,
    "leak_fds": 0,
    "load_exit": None,
    "load_fault_after_s": 0.0,
    "load_signal": None,
    "never_listens": False,
    "never_ready": False,
    "poison": "",
    "probe_fault": "none",
    "stream_fault": "none",
    "token": "right",
}
"""The keys that make one fail; after ``crash_first`` starts they are as here, whatever the script says."""

DEFAULTS = {**WELL, **FAULTY}


def read_script(plan: dict[str, Any]) -> SimpleNamespace:
    """The model file's script with the plan's options on top; a bad file ends the process with code 3."""
    path = Path(plan["model"]["path"])
    try:
        scripted = json.loads(path.read_bytes().removeprefix(MAGIC) or b"{}")
    except (OSError, ValueError) as error:
        say(f"can't read '{path}': {error}")
        leave(EXIT_BAD_FILE)
    asked = {key: value for key, value in plan["options"].items() if value is not None}
    script = SimpleNamespace(**{**DEFAULTS, **scripted, **asked})
    script.context_length = plan.get("context_length") or script.context_length
    number = count_start(Path(script.crash_count_file)) if script.crash_count_file else 1
    if script.crash_first is not None and number > script.crash_first:
        vars(script).update(FAULTY)
    return script


def count_start(path: Path) -> int:
    """Add one byte to the file that counts the starts, and say how many there were, this one included."""
    with path.open("ab") as file:
        file.write(b".")
        return file.tell()
