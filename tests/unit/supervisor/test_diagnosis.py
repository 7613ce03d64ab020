"""What is made of an exit code, a signal and the last lines of a worker."""

import logging
import signal
import threading
from pathlib import Path

import pytest
from attrs import evolve

from uml_core import hookimpl, plugins
from uml_core.errors import (
    InsufficientMemoryError,
    InvalidModelFileError,
    ModelLoadError,
    PortInUseError,
    WorkerCrashedError,
    WorkerTimeoutError,
)
from uml_core.supervisor import hooks
from uml_core.supervisor.diagnosis import diagnose, generic, to_error
from uml_core.testing import FakeBackend
from uml_core.types import Diagnosis, ModelSource, Plan, WorkerExit

SOURCE = ModelSource(
    path=Path("/m/tiny.gguf"), format="gguf", files=(Path("/m/tiny.gguf"),), size_bytes=1, architecture="llama"
)
PLAN = Plan(model_id="org/tiny", model=SOURCE, backend="fake", tasks=("text-generation",), context_length=8192)


def ended(*lines, code=None, number=None, state="loading", intended=False, **more):
    return WorkerExit(code=code, signal=number, state=state, intended=intended, log_tail=lines, **more)


def found(*lines, plan=PLAN, elapsed_s=3.0, **how):
    return generic(plan, ended(*lines, **({"code": 1} | how)), elapsed_s=elapsed_s)


GPU, HOST = "the GPU has too little free memory for it", "there is too little free memory for it"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "alloc_buffer: allocating 4096.00 MiB on device 0: cudaMalloc failed: out of memory",
            f"{GPU} (it asked for 4.0 GiB more)",
        ),
        (
            "alloc_tensor_range: failed to allocate ROCm0 buffer of size 1879048192",
            f"{GPU} (it asked for 1.8 GiB more)",
        ),
        ("ggml_vulkan: Device memory allocation of size 462323712 failed.", f"{GPU} (it asked for 441 MiB more)"),
        ("ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory", GPU),
        ("error: Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)", GPU),
        (
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 23.64 GiB.",
            f"{GPU} (it asked for 2.0 GiB more)",
        ),
        (
            "torch.OutOfMemoryError: HIP out of memory. Tried to allocate 978.00 MiB.",
            f"{GPU} (it asked for 978 MiB more)",
        ),
        ("RuntimeError: MPS backend out of memory (MPS allocated: 8 GiB)", GPU),
        ("CUDA error: out of memory", GPU),
        ("RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)", GPU),
        (
            "0.00.803.054 E ggml_aligned_malloc: insufficient memory (attempted to allocate 4398.75 MB)",
            f"{HOST} (it asked for 4.3 GiB more)",
        ),
        ("llama_model_load: error loading model: mmap failed: Cannot allocate memory", HOST),
        ("terminate called after throwing an instance of 'std::bad_alloc'", HOST),
        ("MemoryError", HOST),
        (
            "DefaultCPUAllocator: you tried to allocate 4294967296 bytes. Error code 12 (Cannot allocate memory)",
            f"{HOST} (it asked for 4.0 GiB more)",
        ),
        (
            "bfc_arena.cc:376 AllocateRawInternal Failed to allocate memory for requested buffer of size 197001216",
            f"{HOST} (it asked for 188 MiB more)",
        ),
        ("memory allocation of 34359738368 bytes failed", f"{HOST} (it asked for 32.0 GiB more)"),
    ],
)
def test_missing_memory(line, words):
    told = found("it begins", line, "and so it failed to load the model")
    assert (told.code, told.deterministic, told.evidence) == ("insufficient_memory", True, line)
    assert words in told.message
    assert told.suggestion == {"context_length": 4096}
    assert "try `uml load org/tiny --context-length 4096`" in told.message


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (
            "gguf_init_from_file: failed to open GGUF file '/m/tiny-00002-of-00003.gguf' (No such file or directory)",
            "invalid_model_file",
            "part 2 of 3 of it, 'tiny-00002-of-00003.gguf', is missing; download the model again, all its files",
        ),
        (
            "OSError: org/tiny does not appear to have a file named model-00001-of-00002.safetensors.",
            "invalid_model_file",
            "part 1 of 2 of it, 'model-00001-of-00002.safetensors', is missing",
        ),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: '/my models/a b.onnx'",
            "invalid_model_file",
            "its file 'a b.onnx' is missing",
        ),
        (
            "PermissionError: [Errno 13] Permission denied: '/m/tiny.gguf'",
            "invalid_model_file",
            "can't be read by this",
        ),
        (
            "OSError: [Errno 5] Input/output error",
            "invalid_model_file",
            "the disk that its file 'tiny.gguf' is on fails",
        ),
        (
            "llama_model_load: error loading model: tensor 'a' data is not within the file bounds, model is corrupted",
            "invalid_model_file",
            "its file 'tiny.gguf' is cut off",
        ),
        (
            "safetensors_rust.SafetensorError: Error while deserializing header: MetadataIncompleteBuffer",
            "invalid_model_file",
            "is cut off",
        ),
        (
            "RuntimeError: PytorchStreamReader failed reading zip archive: failed finding central directory",
            "invalid_model_file",
            "is cut off",
        ),
        ("_pickle.UnpicklingError: invalid load key, 'v'.", "invalid_model_file", "is no model file, or damaged"),
        ("Load model from m.onnx failed:Protobuf parsing failed.", "invalid_model_file", "is damaged"),
        ("size mismatch for lm_head.weight: copying a param", "invalid_model_file", "of a model of the kind 'llama'"),
        (
            "ValueError: The checkpoint has model type `gemma9` but Transformers does not recognize this architecture.",
            "unsupported_architecture",
            "its engine does not know models of the kind 'gemma9'; update the engine of backend 'fake'",
        ),
        (
            "ValueError: Unrecognized configuration class <class 'LlamaConfig'> for this kind of AutoModel",
            "unsupported_architecture",
            "models of the kind 'llama'",
        ),
        (
            "error loading model: error loading model vocabulary: unknown pre-tokenizer type: 'kimi-k9'",
            "unsupported_architecture",
            "its engine does not know its kind of tokenizer 'kimi-k9'",
        ),
        ("ImportError: libcuda.so.1: cannot open shared object file", "driver_mismatch", "there is none with a driver"),
        (
            "RuntimeError: Found no NVIDIA driver on your system.",
            "driver_mismatch",
            "its engine was built for a GPU, and there is none with a driver here",
        ),
        (
            "CUDA error: CUDA driver version is insufficient for CUDA runtime version",
            "driver_mismatch",
            "the GPU or its driver does not suit this build of the engine; update the driver",
        ),
        ("CUDA error: no kernel image is available for execution on the device", "driver_mismatch", "does not suit"),
        ("ModuleNotFoundError: No module named 'exllamav3'", "missing_engine", "has no module 'exllamav3'"),
        (
            "ImportError: libcudart.so.12: cannot open shared object file: No such file or directory",
            "missing_engine",
            "a library that the engine needs is missing 'libcudart.so.12'",
        ),
        ("ImportError: /x/lib.so: undefined symbol: _ZN3c10", "missing_engine", "does not fit to this system"),
        ("/lib/libc.so.6: version `GLIBC_2.38' not found", "missing_engine", "does not fit to this system"),
        (
            "ImportError: DLL load failed while importing _core: The specified module could not be found.",
            "missing_engine",
            "does not fit to this system",
        ),
        ("[Errno 98] Address already in use", "port_in_use", "is taken by another program; load it again"),
        ("couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 8080", "port_in_use", "is taken by another"),
        ("OSError: [Errno 28] No space left on device", "model_load_failed", "the disk is full; free some space"),
    ],
)
def test_what_a_line_says_of_a_load(line, code, words):
    told = found("it begins", line)
    assert told.code == code
    assert "'org/tiny' could not be loaded: " in told.message
    assert words in told.message
    assert told.evidence == line


def test_a_complaint_that_stops_nothing_is_no_reason():
    """An allocation that is tried otherwise, and a driver that is done without."""
    told = found(
        "ggml_cuda_host_malloc: failed to allocate 1900.00 MiB of pinned memory: invalid argument",
        "UserWarning: CUDA initialization: The NVIDIA driver on your system is too old",
        "error loading model: tensor 'a' data is not within the file bounds",
    )
    assert (told.code, "is cut off" in told.message) == ("invalid_model_file", True)


def test_a_file_that_can_not_be_read_for_lack_of_memory_is_not_called_broken():
    told = found(
        "gguf_read_emplace_helper: encountered bad_alloc error while reading value for key 'tokens'",
        "gguf_init_from_reader: failed to read key-value pairs",
        code=3,
    )
    assert told.code == "insufficient_memory"


def test_only_what_can_end_a_loaded_model_is_looked_for_once_it_is_loaded():
    told = found(
        "data is not within the file bounds", "No module named 'x'", number=signal.SIGSEGV, code=None, state="busy"
    )
    assert told.code == "worker_crashed"
    told = found("CUDA error: out of memory", number=signal.SIGABRT, code=None, state="busy")
    assert (told.code, told.deterministic) == ("insufficient_memory", False)
    assert told.message.startswith("'org/tiny' stopped: the GPU has too little")
    told = found("CUDA error: out of memory", *["a request"] * 40, number=signal.SIGABRT, code=None, state="busy")
    assert told.code == "worker_crashed"


@pytest.mark.parametrize(
    ("number", "code", "deterministic", "words"),
    [
        ("SIGILL", "worker_crashed", True, "a processor that has more instructions than this one (SIGILL)"),
        ("SIGSEGV", "worker_crashed", False, "its engine crashed (SIGSEGV: it reached for memory that is not its own)"),
        (
            "SIGBUS",
            "worker_crashed",
            False,
            "one of its files was shortened while it was in use, or the disk failed (SIGBUS)",
        ),
        ("SIGFPE", "worker_crashed", False, "its engine crashed (SIGFPE"),
        ("SIGTRAP", "worker_crashed", False, "its engine crashed (SIGTRAP)"),
        ("SIGTERM", "worker_killed", False, "its process was killed by SIGTERM, and the sender is unknown;"),
    ],
)
def test_signals(number, code, deterministic, words):
    told = found("the last word", code=None, number=getattr(signal, number))
    assert (told.code, told.deterministic) == (code, deterministic)
    assert words in told.message


def test_an_abort_is_explained_by_what_the_engine_said_before():
    line = "/build/llama.cpp/ggml/src/ggml.c:1644: GGML_ASSERT(ctx->nodes != NULL) failed"
    told = found(line, "Fatal Python error: Aborted", code=None, number=signal.SIGABRT)
    assert "and said 'ggml.c:1644: GGML_ASSERT(ctx->nodes != NULL) failed'; download" in told.message
    assert told.evidence == line


@pytest.mark.parametrize(
    ("kills", "code", "words"),
    [
        (
            1,
            "insufficient_memory",
            "there was no memory left, and the system killed it when it held 5.0 GiB (an out-of-memory",
        ),
        (
            0,
            "worker_killed",
            "killed by SIGKILL, and the sender is unknown (no out-of-memory kill was counted); load it",
        ),
        (None, "worker_killed", "the sender is unknown (whether it was for memory can't be seen on this system)"),
    ],
)
def test_a_kill_is_for_memory_only_if_the_kernel_says_so(kills, code, words):
    """Whatever the log says: who is killed has no last word."""
    told = found("CUDA out of memory", code=None, number=signal.SIGKILL, oom_kills=kills, peak_bytes=5 * 2**30)
    assert told.code == code
    assert words in told.message
    assert told.deterministic == (code == "insufficient_memory")


@pytest.mark.parametrize(("state", "opening"), [("loading", "could not be loaded"), ("busy", "stopped")])
def test_a_worker_that_hung(state, opening):
    told = found("CUDA out of memory", code=None, number=signal.SIGABRT, state=state, hung=True)
    assert told.code == "worker_timeout"
    assert f"'org/tiny' {opening}: its worker did not move any more" in told.message


@pytest.mark.parametrize("how", [{"intended": True, "number": signal.SIGKILL}, {"number": None}])
def test_a_load_that_took_too_long(how):
    told = found(code=None, elapsed_s=600.4, **how)
    assert (told.code, told.deterministic) == ("load_timeout", False)
    assert "was not ready after 600 s; if it is only slow to load, raise `load_timeout_s`" in told.message


@pytest.mark.parametrize(
    ("code", "expected", "deterministic", "words"),
    [
        (0, "worker_killed", False, "ended without an error, as it does when somebody sends it TERM"),
        (1, "model_load_failed", False, "its worker gave up with exit code 1 and said 'the last word'"),
        (
            2,
            "model_load_failed",
            True,
            "does not understand how it was started (the last word); UML and backend 'fake'",
        ),
        (3, "invalid_model_file", True, "its file is missing or damaged (the last word); download it again"),
        (4, "missing_engine", True, "the engine can't be imported (the last word); install what backend 'fake' needs"),
        (
            5,
            "insufficient_memory",
            True,
            "there is too little free memory for it (the last word); close other programs",
        ),
        (78, "model_load_failed", True, "finds a fault in its settings (the last word); correct [plugins.fake]"),
        (125, "missing_engine", True, "its program could not be started"),
        (126, "missing_engine", True, "its program may not be run"),
        (127, "missing_engine", True, "its program could not be started"),
        (139, "worker_crashed", False, "its engine crashed (SIGSEGV"),
        (0xC0000005, "worker_crashed", False, "its engine crashed (SIGSEGV"),
        (0xC000001D, "worker_crashed", True, "a processor that has more instructions"),
    ],
)
def test_exit_codes(code, expected, deterministic, words):
    told = found("the last word", code=code)
    assert (told.code, told.deterministic) == (expected, deterministic)
    assert words in told.message


def test_a_line_that_is_marked_as_an_error_says_more_than_the_last_one():
    told = found("0.00.1 I loading", "0.00.2 E srv init: no such thing", "0.00.3 I cleaning up", "bye")
    assert "said '0.00.2 E srv init: no such thing'" in told.message


def test_a_worker_that_gave_up_while_it_answered():
    told = found("bye", code=3, state="ready")
    assert (told.code, told.deterministic) == ("worker_crashed", False)
    assert told.message == (
        "'org/tiny' stopped: its worker gave up with exit code 3 and said 'bye'; `uml logs` has all that it said"
    )


def test_a_worker_that_said_nothing():
    assert "gave up with exit code 1; `uml logs`" in found().message
    assert "missing or damaged (exit code 3)" in found(code=3).message
    assert to_error(found(), plan=PLAN, exit=ended(code=1)).detail == ()


@pytest.mark.parametrize(
    ("context_length", "parallel", "suggestion", "words"),
    [
        (8192, 4, {"context_length": 4096, "parallel": 1}, "`uml load org/tiny --context-length 4096 --parallel 1`"),
        (700, 1, {"context_length": 512}, "`uml load org/tiny --context-length 512`"),
        (512, 2, {"parallel": 1}, "`uml load org/tiny --parallel 1`"),
        (512, 1, {}, "or choose a smaller model or a smaller quantization of it"),
    ],
)
def test_what_would_need_less_memory(context_length, parallel, suggestion, words):
    told = found("MemoryError", plan=evolve(PLAN, context_length=context_length, parallel=parallel))
    assert told.suggestion == suggestion
    assert words in told.message


def test_the_command_can_be_copied_whatever_the_model_is_called():
    told = found("MemoryError", plan=evolve(PLAN, model_id="my model's"))
    assert "`uml load 'my model'\"'\"'s' --context-length 4096`" in told.message


EXITS = [
    *({"code": code} for code in (0, 1, 2, 3, 4, 5, 78, 125, 126, 127, 128, 129, 137, 139, 200, 255, 3221225477)),
    *({"code": None, "number": number} for number in (*signal.Signals, 63)),
    {"code": None},
]


@pytest.mark.parametrize("state", ["launching", "loading", "probing", "ready", "busy", "draining", "stopping"])
@pytest.mark.parametrize("lines", [(), ("\x1b[31m\x00 what?",), ("x" * 9000,)], ids=["nothing", "noise", "much"])
def test_there_is_always_a_sentence_with_the_model_and_a_way_out(state, lines):
    for how in EXITS:
        told = found(*lines, state=state, **how)
        assert told.message.startswith("'org/tiny' ")
        assert "; " in told.message
        assert told.message.isprintable()
        assert len(told.message) < 500
        assert to_error(told, plan=PLAN, exit=ended(*lines, state=state, **how)).message == told.message


@pytest.mark.parametrize("words", ["x", "1", "a.", "'", "\x1b[", "failed to allocate "])
def test_a_log_of_nonsense_is_looked_through_quickly(words):
    """A pattern that tries every place of a long line from every other one would take minutes here."""
    exit = ended(*[words * (8192 // len(words))] * 200, code=1)
    assert to_error(generic(PLAN, exit, elapsed_s=1.0), plan=PLAN, exit=exit).detail


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        ("insufficient_memory", InsufficientMemoryError, 507),
        ("invalid_model_file", InvalidModelFileError, 422),
        ("port_in_use", PortInUseError, 409),
        ("worker_timeout", WorkerTimeoutError, 504),
        ("worker_crashed", WorkerCrashedError, 500),
        ("missing_engine", ModelLoadError, 500),
        ("load_timeout", ModelLoadError, 500),
    ],
)
@pytest.mark.parametrize("deterministic", [True, False])
def test_the_error_is_of_the_class_of_its_code(code, kind, status, deterministic):
    told = Diagnosis(code=code, message="'org/tiny' broke; mend it", deterministic=deterministic)
    error = to_error(told, plan=PLAN, exit=ended("bye", code=1))
    assert (type(error), error.status, error.code, error.permanent) == (kind, status, code, deterministic)
    assert type(error).permanent is kind.permanent
    assert (error.message, error.detail) == ("'org/tiny' broke; mend it", ("bye",))


def test_a_code_without_a_class_is_a_crash_once_the_model_was_loaded():
    told = Diagnosis(code="worker_killed", message="'org/tiny' stopped; send it again")
    assert type(to_error(told, plan=PLAN, exit=ended(code=1, state="busy"))) is WorkerCrashedError


def test_a_backends_sentence_without_the_model_gets_it():
    told = Diagnosis(code="model_load_failed", message="the drum is full; turn it over")
    error = to_error(told, plan=PLAN, exit=ended(code=1))
    assert error.message == "'org/tiny' could not be loaded: the drum is full; turn it over"


def test_the_last_lines_are_there_and_the_telling_one_is_not_lost():
    lines = ["MemoryError", *(f"line {number}" for number in range(30)), "", "  "]
    exit = ended(*lines, code=1)
    detail = to_error(generic(PLAN, exit, elapsed_s=1.0), plan=PLAN, exit=exit).detail
    assert detail == ("MemoryError", *(f"line {number}" for number in range(19, 30)))
    exit = ended(*lines[1:], code=1)
    assert to_error(generic(PLAN, exit, elapsed_s=1.0), plan=PLAN, exit=exit).detail[0] == "line 18"


def test_no_control_characters_and_no_endless_line_reach_a_terminal():
    exit = ended("\x1b[1;31mred\x1b[0m\talert\x07", "\x1b]0;title\x07bell", "y" * 9000, code=1)
    first, second, third = to_error(found(), plan=PLAN, exit=exit).detail
    assert (first, second) == ("red    alert\N{REPLACEMENT CHARACTER}", "bell")
    assert len(third) == 500


class Asked(FakeBackend):
    """A backend that answers as it is told to."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer
        self.release = threading.Event()

    @hookimpl
    def uml_diagnose_exit(self, plan, exit):
        return self.answer(self, plan, exit)


def loaded(answer):
    backend = Asked(answer)
    return backend, plugins.load(builtins={"fake": backend}, entry_points=())


async def test_the_backends_word_goes_first():
    own = Diagnosis(code="missing_engine", message="'org/tiny' has no drum; buy one")
    _, found_plugins = loaded(lambda *_: own)
    assert await diagnose(found_plugins, PLAN, ended("MemoryError", code=1), elapsed_s=1.0) is own


def fails(backend, plan, exit):
    raise LookupError("the drum is lost")


def hangs(backend, plan, exit):
    backend.release.wait(20)


@pytest.mark.parametrize(
    ("answer", "logged"),
    [
        (lambda *_: None, ""),
        (fails, "failed in uml_diagnose_exit with LookupError: the drum is lost"),
        (hangs, "did not answer uml_diagnose_exit within 0 s"),
        (lambda *_: "broken", "gave a str for a Diagnosis"),
    ],
    ids=["none", "raises", "hangs", "nonsense"],
)
async def test_a_backend_without_a_word_gets_cores(answer, logged, caplog, monkeypatch):
    monkeypatch.setattr(hooks, "HOOK_S", 0.1 if answer is hangs else 10.0)
    backend, found_plugins = loaded(answer)
    with caplog.at_level(logging.WARNING):
        told = await diagnose(found_plugins, PLAN, ended("MemoryError", code=1), elapsed_s=1.0)
    backend.release.set()
    assert told.code == "insufficient_memory"
    assert logged in caplog.text


async def test_a_backend_that_is_gone_gets_cores():
    _, found_plugins = loaded(fails)
    told = await diagnose(found_plugins, evolve(PLAN, backend="gone"), ended(code=3), elapsed_s=1.0)
    assert told.code == "invalid_model_file"


HIDDEN = "0.00.041.235 E ggml_cuda_init: failed to initialize CUDA: no CUDA-capable device is detected"


@pytest.mark.parametrize("line", [HIDDEN, HIDDEN.replace("CUDA", "ROCm")])
def test_that_no_gpu_is_seen_by_a_worker_that_goes_on_without_is_not_why_it_ended(line):
    diagnosis = found(line, "0.00.052.001 E llama_model_load: something else")
    assert diagnosis.code == "model_load_failed"
    assert "something else" in diagnosis.message
    assert found(line, "listen: Address already in use").code == "port_in_use"
    assert found(line).code == "model_load_failed"


def test_that_no_gpu_is_seen_is_why_an_engine_ended_that_needs_one():
    assert found("RuntimeError: CUDA error: no CUDA-capable device is detected").code == "driver_mismatch"
