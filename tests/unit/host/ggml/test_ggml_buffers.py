"""What lines of llama.cpp's log tell of memory, as they were written on a CPU and on NVIDIA's, AMD's and Apple's."""

import pytest

from uml_core.host.ggml import read_buffer, read_overhead

MIB = 1 << 20


@pytest.mark.parametrize(
    ("line", "device", "kind", "mib"),
    [
        ("load_tensors:   CPU_Mapped model buffer size =    92.10 MiB", "cpu", "weights", 92.10),
        ("load_tensors:   CPU_REPACK model buffer size =    12.66 MiB", "cpu", "weights", 12.66),
        ("load_tensors:          CPU model buffer size =  5120.00 MiB", "cpu", "weights", 5120),
        ("load_tensors:    CUDA_Host model buffer size =   308.23 MiB", "cpu", "weights", 308.23),
        ("load_tensors:        CUDA0 model buffer size =  7605.33 MiB", "cuda:0", "weights", 7605.33),
        ("load_tensors:   CUDA_Split model buffer size =   605.33 MiB", "cuda:0", "weights", 605.33),
        ("load_tensors:  MTL0_Mapped model buffer size =  4403.49 MiB", "metal:0", "weights", 4403.49),
        ("load_tensors: Metal_Mapped model buffer size =  4403.49 MiB", "metal:0", "weights", 4403.49),
        ("llama_kv_cache:      CUDA1 KV buffer size =  1920.00 MiB", "cuda:1", "kv_cache", 1920),
        ("llama_kv_cache:      ROCm0 KV buffer size =   512.00 MiB", "rocm:0", "kv_cache", 512),
        ("0.00.290.262 I llama_kv_cache:        CPU KV buffer size =    90.00 MiB", "cpu", "kv_cache", 90),
        ("llama_memory_recurrent:        CPU RS buffer size =     3.19 MiB", "cpu", "kv_cache", 3.19),
        ("llama_context:  CUDA_Host  output buffer size =     0.58 MiB", "cpu", "compute", 0.58),
        ("llama_context:        CPU  output buffer size =     0.19 MiB", "cpu", "compute", 0.19),
        ("sched_reserve:    Vulkan0 compute buffer size =   304.75 MiB", "vulkan:0", "compute", 304.75),
        ("sched_reserve: Vulkan_Host compute buffer size =    16.01 MiB", "cpu", "compute", 16.01),
        ("llama_context:      CUDA11 compute buffer size =   304.75 MiB", "cuda:11", "compute", 304.75),
        ("llama_adapter_lora_init_impl:      CUDA0 LoRA buffer size =    10.00 MiB", "cuda:0", "weights", 10),
    ],
)
def test_a_buffer(line, device, kind, mib):
    part = read_buffer(line)
    assert (part.device, part.kind, part.source) == (device, kind, "measured")
    assert part.low_bytes == part.size_bytes == part.high_bytes == round(mib * MIB)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "print_info: file size   = 92.10 MiB (5.74 BPW)",
        "load_tensors: offloaded 33/33 layers to GPU",
        "llama_kv_cache: size =   90.00 MiB (  2048 cells,  30 layers,  2/2 seqs), K (f16):   45.00 MiB",
        "llama_model_load_from_file_impl: using device CUDA0 (NVIDIA H200) - 143053 MiB free",
        "load_tensors: RPC[10.0.0.1:50052] model buffer size =    92.10 MiB",
        "sched_reserve: Vulkan0 compute buffer size is 304.7500 MiB, matches expectation of 304.7500 MiB",
        "uml: the empty worker holds 8646656 bytes",
    ],
)
def test_what_tells_of_none(line):
    assert read_buffer(line) is None


def test_the_empty_worker():
    part = read_overhead("uml: the empty worker holds 8646656 bytes\n")
    assert (part.device, part.kind, part.size_bytes) == ("cpu", "overhead", 8646656)
    assert read_overhead("sched_reserve:        CPU compute buffer size =    18.64 MiB") is None
