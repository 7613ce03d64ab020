"""The options of one backend in core's words, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from uml_core.errors import InvalidOptionsError
from uml_core.planning.options import load_options
from uml_core.types import BackendInfo, Device, Knob, Placement

ON = {"on": True, "off": False}
MAPPING = ("auto", "mmap")
ALL = -1


class Knobs:
    """Reads in the options of one load what memory depends on, and writes there what was decided."""

    def __init__(
        self, backend: BackendInfo, said: Mapping[str, Any], settings: Mapping[str, Any] | None = None
    ) -> None:
        """Validate what was said.

        :param settings: the backend's own, validated
        :raises InvalidOptionsError: an option is unknown or wrong
        """
        self._backend = backend
        self._said = said
        self._settings = settings
        self.options = load_options(backend, said, settings)

    def has(self, knob: Knob) -> bool:
        """Whether the engine can be told."""
        return knob in self._backend.knobs

    def said(self, knob: Knob) -> Any:
        """What somebody said of it; None if nobody did."""
        name = self._backend.knobs.get(knob)
        return self.options[name] if name and self._said.get(name) is not None else None

    def names(self, *knobs: Knob) -> tuple[str, ...]:
        """What the engine calls these."""
        return tuple(self._backend.knobs[knob] for knob in knobs if knob in self._backend.knobs)

    def takes(self, knob: Knob, value: Any) -> bool:
        """Whether the engine takes *value*."""
        if not self.has(knob):
            return False
        try:
            load_options(self._backend, {**self._said, self._backend.knobs[knob]: value}, self._settings)
        except InvalidOptionsError:
            return False
        return True

    def placement(self) -> Placement:
        """What the options say of it, the engine's own ways where they say nothing: nothing is on devices yet."""
        usual = Placement()
        return Placement(
            cache_type_k=self._value("cache_type_k") or usual.cache_type_k,
            cache_type_v=self._value("cache_type_v") or usual.cache_type_v,
            batch=self._value("batch") or usual.batch,
            flash_attention=_flag(self._value("flash_attention")),
            mapped=_mapped(self._value("mapped")),
            full_window=bool(self._value("full_window")),
            cache_on_device=self._value("cache_on_device") is not False,
        )

    def written(self, placement: Placement, *, devices: Sequence[Device], blocks: int, experts: bool) -> dict[str, Any]:
        """All options, with *placement* in them; what is the engine's own way anyhow is not written.

        :param devices: all that the engine sees here
        :param blocks: of the model; 0 if nothing is known of them, then it is all of them or none
        :param experts: the model has some
        """
        wanted: dict[Knob, Any] = {
            "cache_type_k": self._unusual("cache_type_k", placement.cache_type_k),
            "cache_type_v": self._unusual("cache_type_v", placement.cache_type_v),
        }
        if devices:
            wanted |= {"gpu_layers": placement.gpu_layers if blocks or not placement.gpu_layers else ALL}
        if placement.devices and experts:
            wanted |= {"cpu_experts": placement.cpu_experts}
        if len(devices) > 1 and placement.devices:
            wanted |= self._where(placement, devices)
        known = {self._backend.knobs[knob]: value for knob, value in wanted.items() if self._open(knob)}
        return {**self.options, **known}

    def _open(self, knob: Knob) -> bool:
        return self.has(knob) and self.said(knob) is None

    def _where(self, placement: Placement, devices: Sequence[Device]) -> dict[Knob, Any]:
        """One device by its index, several by the share of each that there is."""
        indexes = {device.id: device.index for device in devices}
        used = [indexes[device] for device in placement.devices]
        if len(used) == 1:
            return {"main_device": used[0], "split": None}
        shares = dict(zip(used, placement.split, strict=True))
        return {"split": [shares.get(index, 0.0) for index in range(max(indexes.values()) + 1)]}

    def _unusual(self, knob: Knob, value: str) -> str | None:
        """None for what the engine does by itself."""
        field = self._backend.options.model_fields.get(self._backend.knobs.get(knob, ""))
        usual = field.default if field else None
        return usual if value == (usual or getattr(Placement(), knob)) else value

    def _value(self, knob: Knob) -> Any:
        return self.options.get(self._backend.knobs.get(knob, ""))


def _flag(value: Any) -> bool | None:
    return ON.get(value) if isinstance(value, str) else value


def _mapped(value: Any) -> bool:
    return any(word in value for word in MAPPING) if isinstance(value, str) else value is not False
