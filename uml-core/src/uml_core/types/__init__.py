"""The frozen values that cross a hook. Light: the standard library and attrs, nothing else."""

from uml_core.types.backend import BackendInfo, Level, Match, Rejected
from uml_core.types.diagnosis import Diagnosis
from uml_core.types.host import HostInfo
from uml_core.types.job import JobKind, JobStatus, LoadProgress
from uml_core.types.model import ModelFormat, ModelSource
from uml_core.types.plan import LoadRequest, Plan
from uml_core.types.release import Release
from uml_core.types.status import ModelStatus, SwitchState, WorkerState
from uml_core.types.store import ModelStore, Offer, Progress, StoredModel
from uml_core.types.task import Task, Worker, WorkerResponse
from uml_core.types.worker import Launch, WorkerCommand, WorkerExit

__all__ = (
    "BackendInfo",
    "Diagnosis",
    "HostInfo",
    "JobKind",
    "JobStatus",
    "Launch",
    "Level",
    "LoadProgress",
    "LoadRequest",
    "Match",
    "ModelFormat",
    "ModelSource",
    "ModelStatus",
    "ModelStore",
    "Offer",
    "Plan",
    "Progress",
    "Rejected",
    "Release",
    "StoredModel",
    "SwitchState",
    "Task",
    "Worker",
    "WorkerCommand",
    "WorkerExit",
    "WorkerResponse",
    "WorkerState",
)
