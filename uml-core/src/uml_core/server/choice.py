"""Which model a request is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from uml_core.errors import BadRequestError, ConflictError
from uml_core.server.catalog import Catalog

if TYPE_CHECKING:
    from uml_core.supervisor import Active, Supervisor
    from uml_core.types import JobStatus


class ModelChoice:
    """Reads a body's ``model``; what is loaded is found without a look at the disk."""

    def __init__(self, *, supervisor: Supervisor, catalog: Catalog, autoload: bool) -> None:
        self._supervisor = supervisor
        self._catalog = catalog
        self._autoload = autoload

    async def model(self, body: Mapping[str, Any]) -> str:
        """The id of the model that answers; what is loaded when the request names none.

        :raises ModelNotFoundError: there is no such model
        :raises ConflictError: it is not loaded, and requests may not load it
        """
        asked, active = body.get("model"), self._supervisor.active()
        if asked is None or asked == "":
            return self._present(active)
        if not isinstance(asked, str):
            raise BadRequestError("'model' must be a text", param="model")
        if active is not None and active.plan.model_id == asked:
            return asked
        model = await self._catalog.id_of(asked)
        return await self._variant_here(asked, model) or self._loadable(model, active)

    async def _variant_here(self, ref: str, model: str) -> str | None:
        """Which variant of what *ref* names is being loaded, or is; a plan may have taken another than *model*."""
        active, job = self._supervisor.active(), running_job(self._supervisor)
        plans = [one.plan for one in (job, active) if one is not None and one.plan is not None]
        if not plans or plans[0].model_id == model:
            return None
        variants = await self._catalog.variants_of(ref)
        return next((plan.model_id for plan in plans if plan.model_id in variants), None)

    def _present(self, active: Active | None) -> str:
        """The model that is there, or on its way."""
        if active is not None:
            return active.plan.model_id
        job = running_job(self._supervisor)
        if job is not None and job.plan is not None:
            return job.plan.model_id
        raise BadRequestError("'model' is missing, and none is loaded; `GET /v1/models` lists them", param="model")

    def _loadable(self, model: str, active: Active | None) -> str:
        if not self._autoload and (active is None or active.plan.model_id != model):
            raise ConflictError(
                f"model '{model}' is not loaded, and requests may not load it (`autoload` is off in [server] of "
                f"uml.toml); load it with `uml load {model}`",
                code="model_not_loaded",
                param="model",
            )
        return model


def running_job(supervisor: Supervisor) -> JobStatus | None:
    """The job that is being worked on, if one is."""
    return next((job for job in supervisor.jobs() if not job.ended and job.position == 0), None)
