"""The environment of a worker: built from an allow-list, so that no secret of the user reaches model code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

NAMES = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TMP", "TEMP", "TZ", "LANG", "LANGUAGE"}
    | {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "SYSTEMROOT"}
)
PREFIXES = ("LC_", "CUDA_", "NVIDIA_", "HIP_", "ROCR_", "HSA_", "GGML_", "OMP_", "GOMP_", "KMP_", "MKL_")

FIXED: Mapping[str, str] = {
    "ORT_DISABLE_TELEMETRY": "1",  # read before onnxruntime is imported, or it has reported already
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # so that CUDA's numbers are NVML's
    "PYTHONUNBUFFERED": "1",  # the last words must be in the log before the end
    "PYTHONFAULTHANDLER": "1",
}

SPIN: Mapping[bool | None, Mapping[str, str]] = {
    None: {},
    True: {"OMP_WAIT_POLICY": "active"},
    False: {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"},
}
"""How idle OpenMP threads wait, for each runtime (the standard's, GNU's, Intel's); it is read once, at the start."""


def worker_environment(
    parent: Mapping[str, str],
    *,
    passed: Iterable[str],
    own: Mapping[str, str],
    launch: Mapping[str, str],
    spin: bool | None = None,
) -> dict[str, str]:
    """Build a worker's environment.

    :param parent: this process's environment, of which only allowed names go on
    :param passed: further names that the user allowed
    :param own: what the backend's command sets
    :param spin: whether idle threads wait busily, as planned; None leaves it to the engine, and to *parent*
    :param launch: what the protocol sets; nothing overrides it
    """
    allowed = NAMES | set(passed)
    inherited = {name: value for name, value in parent.items() if name in allowed or name.startswith(PREFIXES)}
    return {**inherited, **FIXED, **SPIN[spin], **own, **launch}
