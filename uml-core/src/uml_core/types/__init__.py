"""The frozen values that cross a hook. Light: the standard library and attrs, nothing else."""

from uml_core.types.backend import BackendInfo, Knob, Level, Match, Rejected
from uml_core.types.card import FileKind, Hazard, Layer, LayerKind, ModelCard, Shape
from uml_core.types.device import HOST, Device, DeviceKind, Holder
from uml_core.types.diagnosis import Diagnosis
from uml_core.types.host import HostInfo
from uml_core.types.job import JobKind, JobStatus, LoadProgress
from uml_core.types.memory import Budget, Measurement, MemoryEstimate, MemoryKind, MemoryPart, MemoryPlan
from uml_core.types.model import ModelFormat, ModelSource
from uml_core.types.plan import Decision, LoadRequest, Placement, Plan
from uml_core.types.profile import Profile, Usage
from uml_core.types.release import Release
from uml_core.types.status import ModelStatus, SwitchState, WorkerState
from uml_core.types.store import ModelFolder, ModelStore, Offer, Progress, StoredModel, Unreadable
from uml_core.types.task import Task, Worker, WorkerResponse
from uml_core.types.worker import Launch, WorkerCommand, WorkerExit

__all__ = (
    "HOST",
    "BackendInfo",
    "Budget",
    "Decision",
    "Device",
    "DeviceKind",
    "Diagnosis",
    "FileKind",
    "Hazard",
    "Holder",
    "HostInfo",
    "JobKind",
    "JobStatus",
    "Knob",
    "Launch",
    "Layer",
    "LayerKind",
    "Level",
    "LoadProgress",
    "LoadRequest",
    "Match",
    "Measurement",
    "MemoryEstimate",
    "MemoryKind",
    "MemoryPart",
    "MemoryPlan",
    "ModelCard",
    "ModelFolder",
    "ModelFormat",
    "ModelSource",
    "ModelStatus",
    "ModelStore",
    "Offer",
    "Placement",
    "Plan",
    "Profile",
    "Progress",
    "Rejected",
    "Release",
    "Shape",
    "StoredModel",
    "SwitchState",
    "Task",
    "Unreadable",
    "Usage",
    "Worker",
    "WorkerCommand",
    "WorkerExit",
    "WorkerResponse",
    "WorkerState",
)
