"""Every error that a user can meet, as one tree.

UMLError
├── BadRequestError                400  invalid_request
│   ├── ContextLengthExceededError      context_length_exceeded
│   ├── UnknownBackendError             unknown_backend
│   ├── InvalidOptionsError             invalid_options
│   └── TaskNotSupportedError           task_not_supported
├── PermissionDeniedError          403  forbidden
├── NotFoundError                  404  not_found
│   └── ModelNotFoundError              model_not_found
├── MethodNotAllowedError          405  method_not_allowed
├── RequestTimeoutError            408  request_timeout
├── ConflictError                  409  conflict
│   ├── GatewayRunningError             gateway_running
│   ├── SupersededError                 superseded
│   └── PortInUseError                  port_in_use
├── PayloadTooLargeError           413  payload_too_large
├── UnsupportedMediaTypeError      415  unsupported_media_type
├── UnprocessableEntityError       422  unprocessable
│   ├── InvalidModelFileError           invalid_model_file
│   ├── NoBackendError                  no_backend
│   ├── RequestCrashedWorkerError       request_crashed_worker
│   └── InsufficientMemoryError    507  insufficient_memory
├── InternalServerError            500  internal_error
│   ├── ModelLoadError                  model_load_failed
│   └── WorkerCrashedError              worker_crashed
├── UnavailableError               503  unavailable
│   ├── ModelLoadingError               model_loading
│   ├── ModelFailedError                model_failed
│   ├── QueueFullError                  queue_full
│   ├── SlotQuarantinedError            slot_quarantined
│   ├── StorageError                    storage_unavailable
│   ├── RequestCancelledError           cancelled
│   └── ShuttingDownError               server_shutdown
├── WorkerTimeoutError             504  worker_timeout
│   └── DeadlineExceededError           deadline_exceeded
├── PullError                      502  pull_failed
├── SettingsError                  500  invalid_settings
└── PluginError                    500  plugin_error
    └── PluginConflictError             plugin_conflict

``message`` is one sentence for a person: the object in quotes, the reason, what to do. ``detail`` are further lines
(a worker's last words, every backend's sentence). ``permanent`` says that asking again can't help. ``job`` is the
:class:`~uml_core.types.JobStatus` of the load that failed, if it was one; ``plan`` the
:class:`~uml_core.types.Plan` that was refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar


class UMLError(Exception):
    """Anything that UML tells a user has gone wrong."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: str = "internal_error"
    permanent: bool = True
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        detail: Sequence[str] = (),
        code: str | None = None,
        param: str | None = None,
        retry_after_s: int | None = None,
        permanent: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = tuple(detail)
        self.param = param
        self.retry_after_s = retry_after_s
        self.job: Any = None
        self.plan: Any = None
        if code is not None:
            self.code = code
        if permanent is not None:
            self.permanent = permanent

    def __str__(self) -> str:
        return "\n".join((self.message, *self.detail))


class BadRequestError(UMLError):
    """The request itself is wrong."""

    status = 400
    type = "invalid_request_error"
    code = "invalid_request"
    exit_code = 2


class ContextLengthExceededError(BadRequestError):
    """The prompt doesn't fit into the model's context."""

    code = "context_length_exceeded"


class UnknownBackendError(BadRequestError):
    """No installed plugin has that name."""

    code = "unknown_backend"


class InvalidOptionsError(BadRequestError):
    """A load option is unknown or out of its range."""

    code = "invalid_options"


class TaskNotSupportedError(BadRequestError):
    """The loaded model can't do what the path asks for."""

    code = "task_not_supported"


class PermissionDeniedError(UMLError):
    """A foreign Host or Origin, or something that only the settings file may say."""

    status = 403
    type = "permission_error"
    code = "forbidden"


class NotFoundError(UMLError):
    """There is no such thing."""

    status = 404
    type = "not_found_error"
    code = "not_found"
    exit_code = 3


class ModelNotFoundError(NotFoundError):
    """No store on this machine has that model."""

    type = "invalid_request_error"
    code = "model_not_found"


class MethodNotAllowedError(UMLError):
    """The path is there, but not for this method."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class RequestTimeoutError(UMLError):
    """The client took too long to send its request."""

    status = 408
    type = "invalid_request_error"
    code = "request_timeout"
    permanent = False


class ConflictError(UMLError):
    """Something else holds what is needed."""

    status = 409
    type = "conflict_error"
    code = "conflict"
    exit_code = 5


class GatewayRunningError(ConflictError):
    """Another gateway serves this data folder."""

    code = "gateway_running"


class SupersededError(ConflictError):
    """A newer load took the place of this one in the queue."""

    code = "superseded"
    exit_code = 1


class PortInUseError(ConflictError):
    """The port, or every port of the range, is taken."""

    code = "port_in_use"


class PayloadTooLargeError(UMLError):
    """The body is over the limit."""

    status = 413
    type = "invalid_request_error"
    code = "payload_too_large"


class UnsupportedMediaTypeError(UMLError):
    """The body is not ``application/json``."""

    status = 415
    type = "invalid_request_error"
    code = "unsupported_media_type"


class UnprocessableEntityError(UMLError):
    """Understood, but this model can't be used so."""

    status = 422
    type = "invalid_request_error"
    code = "unprocessable"
    exit_code = 4


class InvalidModelFileError(UnprocessableEntityError):
    """The file is missing, unreadable, truncated, or breaks its format."""

    code = "invalid_model_file"


class NoBackendError(UnprocessableEntityError):
    """No installed backend can load the model; ``detail`` has each one's sentence."""

    code = "no_backend"


class RequestCrashedWorkerError(UnprocessableEntityError):
    """The engine crashes of that very request: it was alone in the worker when it did."""

    code = "request_crashed_worker"


class InsufficientMemoryError(UnprocessableEntityError):
    """The model doesn't fit into the memory that is free; the message says what it needs and what is there."""

    status = 507
    code = "insufficient_memory"


class InternalServerError(UMLError):
    """Our side, or the engine's."""

    permanent = False


class ModelLoadError(InternalServerError):
    """The worker ended, or never got ready, while loading; ``detail`` has its last lines."""

    code = "model_load_failed"
    permanent = True
    exit_code = 4


class WorkerCrashedError(InternalServerError):
    """The worker died while it answered."""

    code = "worker_crashed"


class UnavailableError(UMLError):
    """Not now."""

    status = 503
    type = "unavailable_error"
    code = "unavailable"
    permanent = False


class ModelLoadingError(UnavailableError):
    """The model is being loaded; ask again after ``retry_after_s``."""

    code = "model_loading"


class ModelFailedError(UnavailableError):
    """The model crashed again and again, or can't be loaded any more; it stays down until somebody loads it again."""

    code = "model_failed"
    permanent = True
    exit_code = 4


class QueueFullError(UnavailableError):
    """More requests wait than the queue may hold."""

    code = "queue_full"


class SlotQuarantinedError(UnavailableError):
    """A process of an earlier worker can't be ended; nothing is loaded on top of it."""

    code = "slot_quarantined"


class StorageError(UnavailableError):
    """The database can't be read, or did not answer in time; requests to models are not touched by that."""

    code = "storage_unavailable"


class RequestCancelledError(UnavailableError):
    """Somebody cancelled the load, or the model was unloaded while it answered."""

    code = "cancelled"


class ShuttingDownError(UnavailableError):
    """The gateway is going down."""

    code = "server_shutdown"

    def __init__(self, message: str = "the gateway is going down; ask again when it is back", **rest: Any) -> None:
        super().__init__(message, **{"retry_after_s": 5, **rest})


class WorkerTimeoutError(UMLError):
    """The worker said nothing for too long."""

    status = 504
    type = "server_error"
    code = "worker_timeout"
    permanent = False


class DeadlineExceededError(WorkerTimeoutError):
    """The answer would have taken longer than the request may last; asked again, it would again."""

    code = "deadline_exceeded"
    permanent = True


class PullError(UMLError):
    """A model could not be fetched."""

    status = 502
    code = "pull_failed"
    permanent = False
    exit_code = 4


class SettingsError(UMLError):
    """``uml.toml`` or a ``UML_*`` variable is wrong."""

    code = "invalid_settings"
    exit_code = 2


class PluginError(UMLError):
    """A plugin could not be used."""

    code = "plugin_error"


class PluginConflictError(PluginError):
    """Two distributions claim one name."""

    code = "plugin_conflict"


def class_of(code: str | None, status: int) -> type[UMLError] | None:
    """The class that an error body tells of: by its code, else the first of its status; None when neither is known."""
    tree = list(_below(UMLError))
    by_code = (kind for kind in tree if kind.code == code)
    by_status = (kind for kind in tree if kind.status == status)
    return next(by_code, None) or next(by_status, None)


def _below(root: type[UMLError]) -> Iterator[type[UMLError]]:
    for child in root.__subclasses__():
        yield child
        yield from _below(child)
