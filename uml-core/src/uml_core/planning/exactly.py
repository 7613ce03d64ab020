"""A request that asks for exactly what a plan says; and whether two plans are of the same request."""

from __future__ import annotations

from uml_core.types import HOST, LoadRequest, Plan


def request_of(plan: Plan, *, model: str | None = None) -> LoadRequest:
    """Ask for everything that *plan* decided: planned again it's the same plan, or refused, never another one.

    :param model: what the model is called where the plan's id is in no store: the path of a file
    """
    devices = plan.placement.devices
    kinds = {device.partition(":")[0] for device in devices}
    device = devices[0] if len(devices) == 1 else "".join(kinds) if len(kinds) == 1 else None
    place, told = plan.placement, any(decision.what == "cache_type" for decision in plan.decisions)
    return LoadRequest(
        model=model or plan.model_id,
        backend=plan.backend,
        context_length=plan.context_length,
        parallel=plan.parallel,
        threads=plan.threads,
        spin=plan.spin,
        device=device if devices else HOST,
        cache_type=place.cache_type_k if told and place.cache_type_k == place.cache_type_v else None,
        force=plan.memory is not None and plan.memory.forced,
        options={name: value for name, value in plan.options.items() if value is not None},
    )


def asked_alike(one: Plan, other: Plan) -> bool:
    """Whether the same was said of both, so that they differ only in what depends on the memory of the moment.

    Else a request that is made a second time would load the model again, since a few bytes more or less are free.
    """
    return _model_and_backend(one) == _model_and_backend(other) and _said(one) == _said(other)


def _model_and_backend(plan: Plan) -> tuple[object, ...]:
    model = plan.model
    return (plan.model_id, model.path, model.size_bytes, plan.backend, plan.settings, plan.threads, plan.spin)


def _said(plan: Plan) -> set[tuple[str, str]]:
    return {(decision.what, decision.value) for decision in plan.decisions if decision.pinned}
