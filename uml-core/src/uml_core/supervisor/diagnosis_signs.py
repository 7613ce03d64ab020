"""What engines write before they end, and what it means.

The lines are those of llama.cpp and of its ports to CUDA, ROCm, Vulkan and Metal, of PyTorch, transformers, safetensors
and ONNX Runtime, of the dynamic linker and of Python. The first line that matches counts: what comes after a complaint
are its consequences. Memory goes first, because a file that can't be read for lack of it looks like a broken one.
"""

from __future__ import annotations

import re

from attrs import field, frozen

MODEL_FILE = r"\.(?:gguf|safetensors|onnx|bin|json|model|pth?)\b"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@frozen(kw_only=True)
class Sign:
    """Lines that mean one thing, and the two parts of the sentence to say then.

    There, ``{file}`` and ``{amount}`` are what the line names, ``{what}`` and ``{said}`` a group of the pattern, as a
    name or as words. ``serving`` says that it may also end a worker whose model had long been loaded,
    ``deterministic`` that the same load fails again.
    """

    pattern: re.Pattern[str] = field(converter=_compiled)
    code: str
    because: str
    way_out: str
    deterministic: bool = True
    serving: bool = False


SIGNS = (
    Sign(
        pattern=r"cudaMalloc failed|(?:CUDA|HIP|XPU|MPS backend)(?: error:)? out of memory|hipErrorOutOfMemory"
        r"|CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation|OutOfDeviceMemory|OUT_OF_DEVICE_MEMORY"
        r"|ggml_vulkan: Device memory allocation|CallbackErrorOutOfMemory|CU(?:BLAS|DNN)_STATUS_ALLOC_FAILED"
        r"|(?:unable|failed) to allocate (?:CUDA|ROCm|Vulkan|Metal|MTL|SYCL|CANN|MUSA)\w* buffer",
        code="insufficient_memory",
        because="the GPU has too little free memory for it{amount}",
        way_out="close what else uses the GPU, {or_less}",
        serving=True,
    ),
    Sign(
        pattern=r"bad_alloc|\bMemoryError\b|OutOfMemoryError|Cannot allocate memory|\bENOMEM\b|[Ii]nsufficient memory"
        r"|not enough memory|(?:[Ff]ailed|[Uu]nable) to allocate (?!.*pinned)|Memory allocation (?:still )?failed"
        r"|memory allocation of \d+ bytes failed",
        code="insufficient_memory",
        because="there is too little free memory for it{amount}",
        way_out="close other programs, {or_less}",
        serving=True,
    ),
    Sign(
        pattern=r"what\(\): +Resource temporarily unavailable|can't start new thread|Thread creation failed",
        code="insufficient_memory",
        because="the system gave it no further thread: memory, or the number of processes that is allowed, is used up",
        way_out="close other programs, or raise that limit (`ulimit -u`)",
        serving=True,
    ),
    Sign(
        pattern=r"(?<![\w.+-])(?P<what>[\w.+-]{1,99}\.(?:so|dylib)[\w.]*): failed to map segment from shared object",
        code="insufficient_memory",
        because="the engine's library{what} can't be mapped into memory: there is too little of it, or the library "
        "is on a disk from which no program may be run",
        way_out="close other programs, or install the engine on another disk",
    ),
    Sign(
        pattern=rf"^(?=.*{MODEL_FILE}).*(?:No such file or directory|does not appear to have a file named)",
        code="invalid_model_file",
        because="{file} is missing",
        way_out="download the model again, all its files into one folder",
    ),
    Sign(
        pattern=rf"^(?=.*{MODEL_FILE}).*(?:Permission denied|Operation not permitted)",
        code="invalid_model_file",
        because="{file} can't be read by this user",
        way_out="give read permission on it and on its folders",
    ),
    Sign(
        pattern=r"Input/output error|\(os error 5\)",
        code="invalid_model_file",
        because="the disk that {file} is on fails to read it",
        way_out="look at that disk, and download the model again onto another",
        deterministic=False,
    ),
    Sign(
        pattern=r"unknown (?:model )?architecture:? ?['`\"](?P<what>[^'`\"]+)"
        r"|has model type [`'\"](?P<kind>[^`'\"]+)[`'\"] but Transformers does not recognize this architecture"
        r"|does not recognize this architecture|Unrecognized configuration class|Unrecognized model in"
        r"|[Uu]nsupported (?:model )?(?:architecture|model_type)|Unsupported model IR version",
        code="unsupported_architecture",
        because="its engine does not know models of the kind{what}",
        way_out="update the engine of backend '{backend}', or choose another backend with `--backend`",
    ),
    Sign(
        pattern=r"unknown (?:pre-)?tokenizer(?: type)?: '(?P<what>[^']+)'",
        code="unsupported_architecture",
        because="its engine does not know its kind of tokenizer{what}",
        way_out="update the engine of backend '{backend}', or choose another backend with `--backend`",
    ),
    Sign(
        pattern=r"GGUF file is version \d+ but this software only supports",
        code="unsupported_architecture",
        because="{file} is written in a newer version of its format than its engine can read",
        way_out="update the engine of backend '{backend}', or download the model again",
    ),
    Sign(
        pattern=r"not within the file bounds|MetadataIncompleteBuffer|unexpected EOF|unexpectedly reached end of file"
        r"|Ran out of input|failed finding central directory|failed to read magic",
        code="invalid_model_file",
        because="{file} is cut off, most likely by a download that did not finish",
        way_out="download it again",
    ),
    Sign(
        pattern=r"invalid magic|is no GGUF file|invalid load key|HeaderTooLarge|HeaderTooSmall|InvalidHeaderStart",
        code="invalid_model_file",
        because="{file} is no model file, or damaged at its very start",
        way_out="download it again",
    ),
    Sign(
        pattern=r"gguf_init_from_\w+: |Error while deserializing header|PytorchStreamReader|INVALID_PROTOBUF"
        r"|Protobuf parsing failed|has invalid data|file might be corrupted",
        code="invalid_model_file",
        because="{file} is damaged",
        way_out="download it again",
    ),
    Sign(
        pattern=r"check_tensor_dims|missing tensor|wrong number of tensors|has wrong shape|key not found in model"
        r"|error loading model hyperparameters|size mismatch for|Error\(s\) in loading state_dict",
        code="invalid_model_file",
        because="{file} does not hold what the engine expects of a model of the kind '{architecture}'",
        way_out="download it again or take another conversion of it; a newer engine may read it as well",
    ),
    Sign(
        pattern=r"llama_init_from_model: (?P<what>.+)",
        code="model_load_failed",
        because="its engine refuses the options of this load{said}",
        way_out="load it with other options",
    ),
    Sign(
        pattern=r"libcuda\.so[.\d]*: cannot open shared object|Found no NVIDIA driver|no CUDA-capable device"
        r"|No HIP GPUs|no ROCm-capable device",
        code="driver_mismatch",
        because="its engine was built for a GPU, and there is none with a driver here",
        way_out="install the GPU's driver, or a build of the engine that needs no GPU",
    ),
    Sign(
        pattern=r"CUDA driver version is insufficient|no kernel image is available|forward compatibility was attempted"
        r"|NVIDIA driver on your system is too old|Driver/library version mismatch|hipErrorNoBinaryForGpu"
        r"|PTX was compiled with an unsupported toolchain|invalid device function",
        code="driver_mismatch",
        because="the GPU or its driver does not suit this build of the engine",
        way_out="update the driver, or install a build of the engine that was made for it",
        serving=True,
    ),
    Sign(
        pattern=r"No module named '?(?P<what>[\w.]+)",
        code="missing_engine",
        because="the Python that runs it has no module{what}",
        way_out="install what backend '{backend}' needs into it; `uml plugins` names that",
    ),
    Sign(
        pattern=r"(?<![\w.+-])(?P<what>[\w.+-]{1,99}\.so[\w.]*): cannot open shared object"
        r"|Library not loaded: (?P<path>\S+)",
        code="missing_engine",
        because="a library that the engine needs is missing{what}",
        way_out="install it, or install the engine of backend '{backend}' again",
    ),
    Sign(
        pattern=r"undefined symbol|version `\S+' not found|DLL load failed|cannot import name"
        r"|incompatible architecture|invalid ELF header",
        code="missing_engine",
        because="the engine that is installed does not fit to this system, or to its other packages",
        way_out="install the engine of backend '{backend}' again, made for this system",
    ),
    Sign(
        pattern=r"[Aa]ddress already in use|EADDRINUSE|couldn't bind HTTP server socket|can't be listened on",
        code="port_in_use",
        because="the port that it was given is taken by another program",
        way_out="load it again, which takes another port, or change `ports` in [supervisor] of uml.toml",
        deterministic=False,
    ),
    Sign(
        pattern=r"No space left on device",
        code="model_load_failed",
        because="the disk is full",
        way_out="free some space and load it again",
        deterministic=False,
        serving=True,
    ),
)
