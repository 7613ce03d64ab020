import re

import pytest

from uml_core.cli.dimensions import cache_in_words, layers_in_words
from uml_core.cli.model_page import lines, measured
from uml_core.errors import ModelNotFoundError

FULL = {"kind": "full", "kv_heads": 8, "key_length": 128, "value_length": 128}


def page(view, places=()):
    """The page's lines by label; further lines of one label behind each other."""
    said, last = {}, ""
    for label, text in lines(view, places):
        last = label or last
        said.setdefault(last, []).append(str(text))
    return said


@pytest.mark.parametrize(
    ("layers", "words", "cache"),
    [
        ([{"count": 32, **FULL}], "32 full, 8 KV heads x 128", "131 kB a token (F16)"),
        (
            [{"count": 22, **FULL}, {"count": 4, **FULL, "kind": "sliding", "window": 512}],
            "22 full + 4 sliding (512 tokens), 8 KV heads x 128",
            "90 kB a token + up to 8.4 MB in its windows (F16)",
        ),
        ([{"count": 61, "kind": "latent", "key_length": 576}], "61 latent (576 a token)", "70 kB a token (F16)"),
        (
            [{"count": 3, "kind": "recurrent", "state_elements": 1000}, {"count": 1, "kind": "none"}],
            "3 recurrent + 1 without memory",
            "6.0 kB of state (F16)",
        ),
        (
            [{"count": 2, **FULL}, {"count": 1, **FULL, "kv_heads": 1, "value_length": 64}, {"count": 1, **FULL}],
            "4 full, 1 to 8 KV heads x 128/64 to 128",
            "13 kB a token (F16)",
        ),
        (
            [{"count": 1, "kv_heads": 1, "key_length": 64, "value_length": 64}],
            "1 full, 1 KV head x 64",
            "256 B a token (F16)",
        ),
    ],
)
def test_dimensions(layers, words, cache):
    assert layers_in_words(layers) == words
    assert cache_in_words(layers) == cache


def test_the_page_has_what_is_known_and_nothing_else(card):
    view = {
        **card("m:Q4_K_M", aliases=["one", "two"], pinned=True, usage={"loads": 1, "requests": 12, "last_used": None}),
        "has_tokenizer": True,
        "has_chat_template": False,
        "shape": {"experts": 8, "experts_used": 2, "layers": [{"count": 1, **FULL}]},
        "files": [{"name": f"part{number}", "size_bytes": 10**9} for number in range(8)],
        "backends": [
            {"name": "good", "level": "native", "reason": "it suits the model best (native)"},
            {"name": "bad", "level": None, "reason": "it is not installed; pip install it"},
        ],
    }
    said = page(view, [{"store": "folder", "id": "m:Q4_K_M", "path": "/a"}, {"store": "x", "id": "copy", "path": "/b"}])
    assert said["status"] == ["pinned"]
    assert said["what"] == ["gguf/llama, 3.2B parameters, Q4_K_M, 4.85 bits a weight"]
    assert said["does"] == ["chat (text-generation); takes text"]
    assert said["brings"] == ["a tokenizer, no chat template"]
    assert said["experts"] == ["8, of which 2 work on each token"]
    assert said["aliases"] == ["one, two"]
    assert said["used"] == ["1 load, 12 requests"]
    assert said["where"] == ["folder  /a", "x as copy  /b"]
    assert said["files"][-1] == "and 2 more"
    assert said["backends"] == [
        "good would load it: it suits the model best (native)",
        "bad: it is not installed; pip install it",
    ]
    assert not {"unreadable", "incomplete", "hazard"} & said.keys()


def test_what_speaks_against_it_comes_first(card):
    said = page(card("m", error="it's broken", missing=["part2"], hazards=["pickle", "remote-code"]))
    assert list(said)[:3] == ["unreadable", "incomplete", "hazard"]
    assert said["incomplete"] == ["it can't be loaded, because it lacks part2"]
    assert len(said["hazard"]) == 2
    assert "run code" in said["hazard"][0]


def test_measurements_are_rows():
    profile = {
        "backend": "fast",
        "engine": "1.2",
        "threads": 3,
        "spin": False,
        "busy": True,
        "context_length": 4096,
        "load_s": 0.456,
        "first_token_s": 12.3,
        "prompt_tokens_per_s": 100.04,
        "decode_tokens_per_s": 43.21,
        "memory_bytes": 2_000_000_000,
        "measured": "2026-01-01T00:00:00+00:00",
    }
    (row,) = measured({"profiles": [profile]})
    assert row[1:] == ["fast", "1.2", "3", "no", "4096", "0.46 s", "12 s", "100.0", "43.2", "2.0 GB"]
    assert row[0].endswith(" ago (busy)")
    (bare,) = measured({"profiles": [{"backend": "x", "measured": "2026-01-01T00:00:00+00:00"}]})
    assert set(bare[2:]) == {""}


# The command


def test_show(stores):
    (stores.models / "z-copy.gguf").hardlink_to(stores.models / "mine-Q4_0.gguf")
    done = stores.uml("show", "mine-q4")
    said = dict(re.findall(r"^ *(\w+)  (.+)$", done.stdout, re.MULTILINE))
    assert done.stdout.startswith("mine-Q4_0\n")
    assert said["licence"] == "apache-2.0"
    assert said["layers"] == "2 full, 2 KV heads x 16"
    assert said["context"] == "8,192 tokens, as trained"
    assert said["brings"].endswith("a chat template")
    assert f"folder  {stores.models / 'mine-Q4_0.gguf'}" in done.stdout
    assert f"folder as z-copy  {stores.models / 'z-copy.gguf'}" in done.stdout


def test_a_model_that_can_not_be_read_has_a_page_too(machine):
    machine.models.mkdir(parents=True)
    (machine.models / "bad.gguf").write_bytes(b"GGUF\3\0\0\0")
    assert "unreadable" in machine.uml("show", "bad").stdout
    assert machine.json("show", "bad")["error"]


def test_what_is_not_there_is_said_with_what_was_meant(stores):
    with pytest.raises(ModelNotFoundError, match="did you mean 'mine-Q4_0'"):
        stores.uml("show", "mine-Q5")
    with pytest.raises(ModelNotFoundError, match="'org/Llama-GGUF:Q4_K_M' or 'org/Llama-GGUF:Q8_0'"):
        stores.uml("show", "llama-gguf:q")
    with pytest.raises(ModelNotFoundError, match="`uml list` shows all"):
        stores.uml("show", "zzzzzzzz")


def test_on_an_empty_machine_it_says_how_to_get_one(machine):
    with pytest.raises(ModelNotFoundError, match="`uml pull starter`"):
        machine.uml("show", "x")


def test_a_file_is_shown_by_its_path_if_a_store_has_it(stores, monkeypatch):
    assert stores.json("show", str(stores.models / "mine-Q4_0.gguf"))["id"] == "mine-Q4_0"
    monkeypatch.chdir(stores.models)
    assert stores.json("show", "./mine-Q4_0.gguf")["id"] == "mine-Q4_0"
    elsewhere = stores.gguf(stores.home / "elsewhere.gguf")
    with pytest.raises(ModelNotFoundError, match=f"'{elsewhere}' lies in none of the stores.*{stores.models}"):
        stores.uml("show", str(elsewhere))
