"""Ask drivers for their devices: a process of its own, because a call into a sick driver may never return.

Runs as ``python -P -m uml_core.host.probe SOURCE…``, where a source is ``cuda``, ``rocm``, ``metal``, ``vulkan`` or
``plugin:NAME``, the entry point of a plugin that implements ``uml_detect_devices``. Each is asked in a thread of its
own and its answer is a line on standard output, as soon as it is there: :class:`~uml_core.host.devices.answer.Answer`.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable

from uml_core import plugins as plugin_loader
from uml_core.host.devices.answer import Answer
from uml_core.host.devices.child import LIMIT, LIMIT_S
from uml_core.host.devices.problem import DriverError
from uml_core.host.devices.sources import PLUGIN
from uml_core.types import Device

Detect = Callable[[], Iterable[Device]]


def main(names: list[str]) -> None:
    """Answer for each source; end, whatever the others do, when all have answered."""
    output = _own_output()
    end_in_time()
    lock = threading.Lock()

    def tell(name: str, detect: Detect) -> None:
        answer = answer_of(name, detect)
        with lock:
            os.write(output, answer.to_line().encode() + b"\n")

    threads = [threading.Thread(target=tell, args=pair, daemon=True) for pair in detectors(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def answer_of(name: str, detect: Detect) -> Answer:
    """Ask one source; what it raises is its answer, too."""
    try:
        devices = tuple(detect())
        if strange := [type(device).__name__ for device in devices if not isinstance(device, Device)]:
            raise DriverError(f"gave a {strange[0]} and no Device; tell its makers")  # noqa: TRY301
    except BaseException as error:  # noqa: BLE001 - SystemExit too is only this source's answer
        told = str(error) or type(error).__name__
        if name.startswith(PLUGIN):
            told = f"the plugin '{name.removeprefix(PLUGIN)}' failed to look for devices: {told}"
        return Answer(source=name, problem=told)
    return Answer(source=name, devices=devices)


def detectors(names: Iterable[str]) -> list[tuple[str, Detect]]:
    """What is to be called for each name."""
    core = [name for name in names if not name.startswith(PLUGIN)]
    foreign = [name.removeprefix(PLUGIN) for name in names if name.startswith(PLUGIN)]
    builtins = {name: importlib.import_module(f"uml_core.host.devices.{name}") for name in core}
    loaded = plugin_loader.load(builtins=builtins, allow=foreign)
    calls = loaded.calls("uml_detect_devices")
    failed = {card.name: card.reason for card in loaded.cards if card.status == "failed"}
    found = [(name if name in core else PLUGIN + name, detect) for name, detect in calls.items()]
    return found + [(PLUGIN + name, _failing(reason)) for name, reason in failed.items()]


def _failing(reason: str) -> Detect:
    def detect() -> Iterable[Device]:
        raise DriverError(reason)

    return detect


def end_in_time() -> None:
    """End this process a little after the limit, should there be nobody any more who would."""
    limit_s = float(os.environ.get(LIMIT, LIMIT_S))
    if hasattr(signal, "alarm"):
        signal.alarm(int(limit_s) + 2)


def _own_output() -> int:
    """Standard output for the answers alone: drivers and plugins may print, and that goes to standard error."""
    output = os.dup(1)
    os.dup2(2, 1)
    return output


if __name__ == "__main__":
    main(sys.argv[1:])
    os._exit(0)  # a driver's thread or an exit handler of its library can't keep it
