"""The backend `template`: what UML asks before it starts anything. Never import the engine here."""

from uml_core import API_VERSION, hookimpl
from uml_core.types import BackendInfo, Level, Match, ModelSource, WorkerCommand
from uml_template.format import uml_model_formats, uml_model_stores  # noqa: F401 - hooks of this plugin too
from uml_template.options import Options

uml_api_version = API_VERSION


@hookimpl
def uml_backend_info() -> BackendInfo:
    return BackendInfo(
        name="template", formats=("markov",), tasks=("text-generation",), options=Options, engine="uml-template"
    )


@hookimpl
def uml_detect_backend(model: ModelSource) -> Match | None:
    return Match(Level.NATIVE, "made for this format") if model.format == "markov" else None


@hookimpl
def uml_launch_worker() -> WorkerCommand:
    return WorkerCommand.python("uml_template.worker")
