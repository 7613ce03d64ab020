from __future__ import annotations

import time

import pytest

from uml_core.registry.variants import variant_called, variant_of


@pytest.mark.parametrize(
    ("stem", "name", "variant"),
    [
        ("SmolLM2-135M-Instruct.Q4_1", "SmolLM2-135M-Instruct", "Q4_1"),
        ("Meta-Llama-3.1-8B-Instruct-Q4_K_M", "Meta-Llama-3.1-8B-Instruct", "Q4_K_M"),
        ("qwen2.5-0.5b-instruct-q4_k_m", "qwen2.5-0.5b-instruct", "Q4_K_M"),
        ("mixtral_IQ2_XXS", "mixtral", "IQ2_XXS"),
        ("x-IQ4_NL", "x", "IQ4_NL"),
        ("x-IQ1_M", "x", "IQ1_M"),
        ("x-IQ4_KS", "x", "IQ4_KS"),
        ("x.Q4_0_4_4", "x", "Q4_0_4_4"),
        ("x.IQ4_NL_4_4", "x", "IQ4_NL_4_4"),
        ("x-Q2_K", "x", "Q2_K"),
        ("x-Q3_K_XL", "x", "Q3_K_XL"),
        ("x-Q6_K_L", "x", "Q6_K_L"),
        ("x-Q8_0", "x", "Q8_0"),
        ("x-TQ1_0", "x", "TQ1_0"),
        ("gpt-oss-20b-mxfp4", "gpt-oss-20b", "MXFP4"),
        ("gpt-oss-20b-MXFP4_MOE", "gpt-oss-20b", "MXFP4_MOE"),
        ("x-BF16", "x", "BF16"),
        ("x.f16", "x", "F16"),
        ("x-F32", "x", "F32"),
        ("ggml-model-i2_s", "ggml-model", "I2_S"),
        ("Qwen3-30B-A3B-UD-Q4_K_XL", "Qwen3-30B-A3B", "UD-Q4_K_XL"),
        ("Rocket-7B.i1-Q4_K_M", "Rocket-7B", "i1-Q4_K_M"),
        ("big-Q5_K_S-00001-of-00003", "big", "Q5_K_S"),
        ("big-00001-of-00003", "big", None),
        ("model_q4f16", "model", "Q4F16"),
        ("model_fp16", "model", "FP16"),
        ("model_int8", "model", "INT8"),
        ("x-F16-Q8_0", "x-F16", "Q8_0"),
        ("gpt-oss-20b", "gpt-oss-20b", None),
        ("phi-2", "phi-2", None),
        ("llama-3.2-1b", "llama-3.2-1b", None),
        ("Q4_K_M", "Q4_K_M", None),
        ("q4_k_m-notes", "q4_k_m-notes", None),
        ("XQ4_0", "XQ4_0", None),
        ("", "", None),
    ],
)
def test_the_end_of_a_name_says_the_variant(stem, name, variant):
    assert variant_of(stem) == (name, variant)


@pytest.mark.parametrize(
    ("name", "variant"), [("Q4_K_M", "Q4_K_M"), ("ud-q2_k_xl", "UD-Q2_K_XL"), ("x-Q4_K_M", None), ("", None)]
)
def test_a_name_that_is_a_variants(name, variant):
    assert variant_called(name) == variant


@pytest.mark.parametrize("stem", ["q4-" * 20_000, "Q4_K_" * 20_000, "-00001-of-0000" * 20_000, "UD-" * 20_000])
def test_a_name_made_to_take_long_takes_no_time(stem):
    before = time.process_time()
    variant_of(stem)
    assert time.process_time() - before < 1
