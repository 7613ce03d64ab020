"""The contract between the core and its plugins.

Hooks are for questions with many possible answerers. Each is synchronous; work that belongs to one request is a
callable inside a returned record. An implementation may leave out parameters that it doesn't need.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from uml_core import hookspec

if TYPE_CHECKING:
    from uml_core.types import (
        BackendInfo,
        Device,
        Diagnosis,
        HostInfo,
        Launch,
        Match,
        MemoryEstimate,
        ModelFormat,
        ModelSource,
        ModelStatus,
        ModelStore,
        Plan,
        Rejected,
        Task,
        WorkerCommand,
        WorkerExit,
    )


@hookspec
def uml_backend_info() -> BackendInfo:  # type: ignore[empty-body]
    """Describe a backend: its name, formats, tasks and options.

    When: once for each plugin, when the plugins are loaded. Called by: ``plugins.load``.

    A plugin that implements this hook is a backend and must also implement ``uml_detect_backend`` and
    ``uml_launch_worker``. The name must be unique on the machine; ``[plugins.<name>]`` is its table in ``uml.toml``.

    :returns: the card that ``uml plugins`` shows and that options are validated with

    Example::

        class Options(BaseModel):
            model_config = ConfigDict(extra="forbid")
            n_batch: int | None = Field(None, ge=1, le=4096, description="tokens decoded at once")


        @hookimpl
        def uml_backend_info():
            return BackendInfo(name="mine", formats=("gguf",), tasks=("text-generation",), options=Options)
    """


@hookspec
def uml_model_formats() -> Iterable[ModelFormat]:  # type: ignore[empty-body]
    """Offer readers of file headers.

    When: once for each plugin, when the plugins are loaded. Called by: ``inspection.inspect``, which asks every
    format's ``claims(path, head)`` and lets the one that claims the file ``read`` it.

    ``read`` must be bounded: it is called on files that nobody vouches for.

    :returns: zero or more formats; two formats of one name are a conflict that names both distributions

    Example::

        @hookimpl
        def uml_model_formats():
            yield ModelFormat(name="mine", claims=lambda path, head: head.startswith(b"MINE"), read=read_header)
    """


@hookspec
def uml_model_stores() -> Iterable[ModelStore]:  # type: ignore[empty-body]
    """Offer places where models lie, and names that can be fetched.

    When: once for each plugin, when the plugins are loaded. Called by: ``registry.Registry``, which calls each
    store's ``list()`` when somebody asks what is there, and ``offer(ref)`` for ``uml pull ref``.

    ``list()`` must be quick (it is called for every listing and reads no model), fetch nothing and change nothing.
    It gives a ``StoredModel`` where the store itself knows what a file is, a ``ModelFolder`` where the core
    shall find the models (with ``root`` if other programs fill it: then no link leads out of it), and an
    ``Unreadable`` with a sentence for what can't be read or used. A program that was never on this machine has nothing
    to tell: its store is empty. Only a store of UML's own has ``remove``.

    :returns: zero or more stores; two stores of one name are a conflict that names both distributions

    Example::

        def models_on_the_stick():
            stick = Path("/media/stick")
            if (stick / "locked").exists():
                yield Unreadable(reason="the stick is locked; unlock it with its own program", path=stick)
            else:
                yield ModelFolder(path=stick / "models", root=stick)


        @hookimpl
        def uml_model_stores():
            yield ModelStore(name="stick", list=models_on_the_stick, folders=(Path("/media/stick"),))
    """


@hookspec
def uml_detect_backend(model: ModelSource, host: HostInfo, settings: Mapping[str, Any]) -> Match | Rejected | None:
    """Say whether this backend can load *model* on *host*.

    When: before every load, for each backend on its own. Called by: ``planning``, in a thread with a deadline; an
    exception counts as ``Rejected`` with its text. Must not import the engine, open a device or use the network:
    ``model.metadata`` already holds the parsed header.

    :param model: the resolved files and what their headers say
    :param host: the cores and the memory of this machine
    :param settings: the plugin's own table of ``uml.toml``, validated
    :returns: ``Match`` to offer; ``Rejected`` if it is yours but can't be loaded here; ``None`` if it isn't yours

    Example::

        @hookimpl
        def uml_detect_backend(model):
            if model.format != "gguf":
                return None
            if find_spec("my_engine") is None:
                return Rejected("my-engine is not installed", hint="pip install my-engine")
            return Match(Level.SUPPORTED, "my-engine reads GGUF")
    """


@hookspec
def uml_detect_devices() -> Iterable[Device]:  # type: ignore[empty-body]
    """Find accelerators and say what each has free.

    When: when something is planned or the machine is described; an answer is used for a moment only.
    Called by: ``python -m uml_core.host.probe``, a child process with a time limit, for a call into a sick driver may
    never return; what one plugin raises is a line in ``uml doctor`` and takes nothing away from the others. Core finds
    NVIDIA's, AMD's and Apple's devices and what Vulkan sees; answer for what only you know. A device that core has
    found as well, by its ``id`` or ``uuid``, is yours from then on.

    :returns: zero or more devices, also those that can't be used, with the ``problem``

    Example::

        @hookimpl
        def uml_detect_devices():
            for index, chip in enumerate(my_driver.chips()):
                yield Device(id=f"vulkan:{index}", kind="vulkan", index=index, name=chip.name, total_bytes=chip.memory)
    """


@hookspec
def uml_estimate_memory(plan: Plan, host: HostInfo) -> MemoryEstimate | None:
    """Say how much memory a load will take, if you know it better than the formula does.

    When: for a plan that is shown, and before a load that may not fit; once for each, on what was decided, not for what
    was only considered. Called by: ``planning``, addressed to the backend that the plan names, in a thread with a
    deadline of 15 seconds. It may start a child process that looks, and must end it; nothing of the model is loaded.

    :param plan: the decision, with ``options``, ``placement`` and, in ``memory``, the estimate that is there already
    :param host: the cores, the memory and the devices of this machine
    :returns: the parts that you know; each takes the place of the formula's for that device and kind. ``None``: none

    Example::

        @hookimpl
        def uml_estimate_memory(plan):
            size_bytes = my_engine.buffer_bytes(plan.model.path, tokens=plan.context_length * plan.parallel)
            return MemoryEstimate(parts=(MemoryPart.exact("cpu", "compute", size_bytes, source="probe"),))
    """


@hookspec
def uml_launch_worker(plan: Plan, launch: Launch) -> WorkerCommand:  # type: ignore[empty-body]
    """Give the command that starts the worker for *plan*.

    When: for each launch of a worker. Called by: ``supervisor``, addressed to the backend that the plan names. Must
    be pure: it starts nothing and writes nothing, and the token must not appear in ``argv``, which others can see.

    :param plan: the decision; ``plan.options`` and ``plan.settings`` are the validated values
    :param launch: where to listen, the token, and the private folder of this launch
    :returns: argv, environment, how the endpoint is taken, the readiness path and the time limits

    Example::

        @hookimpl
        def uml_launch_worker(plan, launch):
            return WorkerCommand.python("uml_mine.worker")  # a module that calls uml_core.worker.serve(load)
    """


@hookspec
def uml_diagnose_exit(plan: Plan, exit: WorkerExit) -> Diagnosis | None:
    """Say why a worker ended, if you can tell more than its exit code and the usual signs do.

    When: after a worker failed to load, crashed, or was ended because it hung; before ``uml_cleanup_worker``.
    Called by: ``supervisor.diagnosis``, addressed to the backend that the plan names, in a thread with a deadline;
    core's own diagnosis takes the place of an answer that is ``None``, late or an exception. Core knows the signs of
    missing memory, of broken files, drivers and engines, and the signals; answer for what only you know: the package
    to update, the option at fault, what a line of your engine's log means.

    :param plan: the decision that the worker was launched with
    :param exit: its code or signal, the state it was in, and its last lines
    :returns: the code, a sentence that names the model and the way out, and options that would fit; or ``None``

    Example::

        @hookimpl
        def uml_diagnose_exit(plan, exit):
            if any("license has expired" in line for line in exit.log_tail):
                return Diagnosis(
                    code="model_load_failed",
                    message=f"'{plan.model_id}' could not be loaded: my-engine's license has expired; renew it",
                    deterministic=True,
                )
            return None
    """


@hookspec
def uml_cleanup_worker(plan: Plan, exit: WorkerExit) -> None:
    """Clean up what a worker left.

    When: once for every launch, failed ones too, after its process tree is gone. Called by: ``supervisor``, addressed
    to the backend that the plan names; an exception is logged. The run folder is removed by core afterwards.

    :param plan: the decision that the worker was launched with
    :param exit: how it ended, in which state, and its last lines

    Example::

        @hookimpl
        def uml_cleanup_worker(plan, exit):
            shutil.rmtree(f"/dev/shm/my-engine-{plan.model_id}", ignore_errors=True)
    """


@hookspec
def uml_tasks() -> Iterable[Task]:  # type: ignore[empty-body]
    """Offer paths of the HTTP face.

    When: once for each plugin, when the plugins are loaded. Called by: ``server``, when the app is built. Tasks may
    share a path if all but one say by ``claims(body)`` which bodies are theirs; two defaults are a conflict that names
    both distributions.

    :returns: zero or more tasks

    Example::

        async def shout(request, worker):
            return await worker.post("/v1/completions", {"prompt": request.text.upper(), "max_tokens": 32})


        @hookimpl
        def uml_tasks():
            yield Task(name="text-generation", path="/v1/shout", request=ShoutRequest, handle=shout)
    """


@hookspec
def uml_model_status(status: ModelStatus) -> None:
    """Observe a transition of a worker.

    When: at every change of a worker's state. Called by: ``supervisor``, for every plugin; exceptions are logged and
    never reach the load. Must return at once: the supervisor waits for it.

    :param status: slot, generation, model, the state and the one before, and why

    Example::

        @hookimpl
        def uml_model_status(status):
            statsd.increment(f"uml.worker.{status.state}")
    """
