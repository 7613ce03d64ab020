"""Why a plan is as it is: each decision with its reason, for people."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from uml_core.planning.choice import BASE, Choice
from uml_core.planning.scoping import COARSE, target_of
from uml_core.planning.setting import Tier
from uml_core.planning.subject import Subject
from uml_core.types import HOST, Decision, Knob, Placement

SHOWN_BY_KNOB: tuple[Knob, ...] = ("gpu_layers", "cpu_experts", "split", "main_device", "cache_type_k", "cache_type_v")


@frozen
class Decisions:
    """Tells what was decided for one variant, and why."""

    subject: Subject
    choice: Choice

    @property
    def _place(self) -> Placement:
        return self.choice.setting.placement

    def all(self) -> Iterator[Decision]:
        """In the order in which somebody would ask."""
        yield self._profile()
        yield self._device()
        yield from self._layers()
        yield self._context()
        yield from self._cache()
        yield self._parallel()
        yield from self._options()

    def _profile(self) -> Decision:
        named = self.subject.settings.memory.profile
        sizes = " and ".join(f"{device.name}, {device.total_bytes / 2**30:.0f} GiB" for device in self.subject.devices)
        reason = "[memory] of uml.toml names it" if named else f"for {sizes or 'a load without accelerators'}"
        return Decision(what="profile", value=self.subject.profile.name, reason=reason, pinned=bool(named))

    def _device(self) -> Decision:
        said, devices = self.subject.said, self._place.devices
        pinned = bool(said.device) or self.subject.knobs.said("split") is not None
        reason = said.why("device", *self.subject.knobs.names("split")) if pinned else self._why_there()
        return Decision(what="device", value=" + ".join(devices) or HOST, reason=reason, pinned=pinned)

    def _why_there(self) -> str:
        seen, devices = self.subject.seen, self._place.devices
        if not seen:
            return self._why_unseen()
        if not devices:
            return "no layer fits into what is free elsewhere" if self.choice.fits else "nothing else has more room"
        if len(devices) > 1:
            return "one of them alone has too little room"
        if len(seen) > 1:
            return "one is enough, and no other has much more room"
        return "it is the accelerator of this machine"

    def _why_unseen(self) -> str:
        if not self.subject.unseen:
            return "no accelerator was found here"
        name = self.subject.chosen.backend.name
        lacking = (one.problem or f"'{name}', as its engine is installed, can't use it" for one in self.subject.unseen)
        told = (f"{one.name} ({one.id}): {why}" for one, why in zip(self.subject.unseen, lacking, strict=True))
        return "; ".join(told)

    def _layers(self) -> Iterator[Decision]:
        knobs, place, every = self.subject.knobs, self._place, self.subject.blocks + 1
        if place.devices:
            pinned = knobs.said("gpu_layers") is not None
            whole = "all of them have room" if place.gpu_layers >= every else "as many as have room"
            reason = self.subject.said.why(*knobs.names("gpu_layers")) if pinned else whole
            yield Decision(what="gpu_layers", value=f"{place.gpu_layers} of {every}", reason=reason, pinned=pinned)
        if place.cpu_experts:
            pinned = knobs.said("cpu_experts") is not None
            least = "their experts stay in memory: only some work on each token, so that costs the least speed"
            reason = self.subject.said.why(*knobs.names("cpu_experts")) if pinned else least
            value = f"{place.cpu_experts} of {self.subject.blocks}"
            yield Decision(what="cpu_experts", value=value, reason=reason, pinned=pinned)
        if place.split:
            pinned = knobs.said("split") is not None
            reason = self.subject.said.why(*knobs.names("split")) if pinned else "by the room that each of them has"
            value = " : ".join(f"{share:g}" for share in place.split)
            yield Decision(what="split", value=value, reason=reason, pinned=pinned)

    def _context(self) -> Decision:
        subject, tokens = self.subject, self.choice.setting.context_length
        pinned = subject.said.context_length is not None
        reason = subject.said.why("context_length") if pinned else self._why_context(tokens, target_of(subject))
        return Decision(what="context_length", value=str(tokens), reason=reason, pinned=pinned)

    def _why_context(self, tokens: int, target: int) -> str:
        if not self.choice.fits:
            return "the least that is worth a load"
        if tokens == BASE < target and self.subject.devices and self.choice.tier is not Tier.ALL:
            return f"more would take layers off the device; {target} would be aimed for if all fitted there"
        if tokens < target:
            return f"the most that has room; {target} would be aimed for"
        if target == self.subject.model.context_length:
            return "the model was trained with no more"
        if self.subject.settings.context_length:
            return "uml.toml aims for it"
        return f"the profile '{self.subject.profile.name}' aims for it"

    def _cache(self) -> Iterator[Decision]:
        place, knobs, said = self._place, self.subject.knobs, self.subject.said
        names = knobs.names("cache_type_k", "cache_type_v")
        pinned = said.cache_type is not None or any(said.options.get(name) is not None for name in names)
        value = " and ".join(dict.fromkeys((place.cache_type_k, place.cache_type_v)))
        reason = said.why("cache_type", *names) if pinned else self._why_cache(place.cache_type_k)
        if names:
            yield Decision(what="cache_type", value=value, reason=reason, pinned=pinned)

    def _why_cache(self, kind: str) -> str:
        if self.subject.settings.memory.cache_type == kind:
            return "[memory] of uml.toml says so"
        return "half as large as f16, which makes room" if kind == COARSE else "there is room for it, and it is exact"

    def _parallel(self) -> Decision:
        subject, parallel = self.subject, self.choice.setting.parallel
        pinned, most = subject.said.parallel is not None, subject.chosen.backend.parallel
        if pinned:
            reason = subject.said.why("parallel")
        elif parallel == subject.profile.parallel:
            named = (
                "[memory] of uml.toml" if subject.settings.memory.parallel else f"the profile '{subject.profile.name}'"
            )
            reason = f"{named} aims for it"
        else:
            reason = "the backend answers no more at once" if parallel == most else "there is room for no more"
        return Decision(what="parallel", value=str(parallel), reason=reason, pinned=pinned)

    def _options(self) -> Iterator[Decision]:
        """What else was said, in the engine's own words."""
        told = self.subject.knobs.names(*SHOWN_BY_KNOB)
        for name, value in self.subject.said.options.items():
            if name not in told and value is not None:
                yield Decision(what=name, value=str(value), reason=self.subject.said.why(name), pinned=True)
