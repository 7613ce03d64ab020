"""Model files with a fault, loaded by real engines."""

import pytest

pytestmark = pytest.mark.engine
BLOCK = b"blk.0.attn_norm.weight"
FAULTS = {
    "cut": (lambda altered: altered.cut(60_000_000), "invalid_model_file", "its file 'cut.gguf' is cut off"),
    "cut-header": (lambda altered: altered.cut(100_000), "invalid_model_file", "its file 'cut.gguf' is damaged"),
    "magic": (lambda altered: altered.magic(), "invalid_model_file", "'altered.gguf' is no model file"),
    "version": (
        lambda altered: altered.version(),
        "unsupported_architecture",
        "in a newer version of its format than its engine",
    ),
    "architecture": (lambda altered: altered.architecture(), "unsupported_architecture", "models of the kind 'lamma'"),
    "blocks": (lambda altered: altered.block_count(), "invalid_model_file", "does not hold what the engine expects"),
    "type": (lambda altered: altered.tensor_type(BLOCK, 200), "invalid_model_file", "'altered.gguf' is damaged"),
    "size": (lambda altered: altered.tensor_type(BLOCK, 8), "invalid_model_file", "'altered.gguf' is damaged"),
    "missing": (lambda altered: altered.missing(), "invalid_model_file", "its file 'gone.gguf' is missing"),
    "shard": (
        lambda altered: altered.without_its_second_shard(),
        "invalid_model_file",
        "part 2 of 2 of it, 'smol-00002-of-00002.gguf', is missing",
    ),
}
BOTH = ("cut", "architecture", "shard")
"""Both engines are llama.cpp: what the second one adds is how it ends."""


@pytest.mark.parametrize(
    ("bench", "fault"),
    [*(("llamaserver", name) for name in FAULTS), *(("llamacpp", name) for name in BOTH)],
    indirect=["bench"],
)
async def test_a_file_with_a_fault(bench, altered, fault):
    break_it, code, words = FAULTS[fault]
    ending = await bench.end(break_it(altered))
    assert ending.error.code == code
    assert words in ending.error.message
    assert "'org/smol' could not be loaded: " in ending.error.message
    assert "download" in ending.error.message or "update" in ending.error.message
    assert ending.error.permanent
    assert ending.diagnosis.evidence.strip()
    assert 0 < len(ending.error.detail) <= 12
