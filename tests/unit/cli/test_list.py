import re
from datetime import UTC, datetime, timedelta

import pytest

from uml_core.cli.ago import ago
from uml_core.cli.model_table import COLUMNS, human_context, reasons, rows
from uml_core.cli.output import human_bytes
from uml_core.cli.tasks import tag_of, word_of
from uml_core.errors import BadRequestError

REPO = "org/Llama-GGUF"


def told(cards):
    """The table as text by column name."""
    names = [column.name for column in COLUMNS]
    return [
        dict(zip(names, (cell if isinstance(cell, str) else cell[0] for cell in row), strict=True))
        for row in rows(cards)
    ]


def test_one_model_is_one_row_with_all_that_is_known(card):
    (row,) = told(
        [
            card(
                "smol",
                also=[{"store": "ollama", "id": "smol:latest"}, {"store": "folder", "id": "copy"}],
                aliases=["s", "t"],
                pinned=True,
                status={"value": "ready"},
                profile={"decode_tokens_per_s": 43.21},
                usage={"last_used": (datetime.now(UTC) - timedelta(days=2, hours=1)).isoformat()},
            )
        ]
    )
    assert row == {
        "MODEL": "smol",
        "SIZE": "2.0 GB",
        "PARAMS": "3.2B",
        "QUANT": "Q4_K_M",
        "CONTEXT": "128K",
        "TASK": "chat",
        "FORMAT": "gguf",
        "NEEDS": "2.9 GB",
        "TOKENS/S": "43.2",
        "USED": "2 days ago",
        "STORE": "folder +1",
        "ALIAS": "s, t",
        "STATUS": "ready, pinned",
    }


def test_variants_stand_under_their_name_and_share_what_is_the_same(card):
    variants = [
        card(f"{REPO}:{name}", name=REPO, quantization=name, size_bytes=size, store=store)
        for name, size, store in (("Q8_0", 3e9, "ollama"), ("Q4_0", 2e9, "folder"))
    ]
    head, small, large = told([card(f"{REPO}-other"), *variants][1:])
    assert (head["MODEL"], head["PARAMS"], head["CONTEXT"], head["SIZE"]) == (REPO, "3.2B", "128K", "")
    assert [row["MODEL"] for row in (small, large)] == ["  :Q4_0", "  :Q8_0"]
    assert [row["STORE"] for row in (head, small, large)] == ["", "folder", "ollama"]
    assert small["PARAMS"] == ""


def test_an_id_that_is_not_its_name_with_a_variant_stands_whole(card):
    cards = [card(id, name="smol", quantization=quant) for id, quant in (("smol-Q4_0", "Q4_0"), ("smol-F16", "F16"))]
    assert [row["MODEL"] for row in told(cards)] == ["smol", "  smol-F16", "  smol-Q4_0"]


def test_what_is_loaded_comes_first_then_what_is_pinned_then_the_names(card):
    cards = [
        card("Zebra"),
        card("apple"),
        card("mine", pinned=True),
        card("n:1", name="n", quantization="Q4_0"),
        card("n:2", name="n", status={"value": "loading"}),
    ]
    assert [row["MODEL"] for row in told(cards)] == ["n", "  :1", "  :2", "mine", "apple", "Zebra"]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"error": "no"}, "unreadable"),
        ({"complete": False, "missing": ["a"]}, "incomplete"),
        ({"hazards": ["pickle"]}, "pickle"),
        ({"kind": "projector"}, "projector"),
        ({"kind": None, "pending": True}, "not read yet"),
        ({"kind": "other"}, "no model"),
        ({}, ""),
    ],
)
def test_status(card, said, status):
    assert told([card("m", **said)])[0]["STATUS"] == status


def test_the_reasons_are_told(card):
    said = [
        line.plain
        for line in reasons(
            [
                card("a", error="'a' ends\x1b[31m too soon"),
                card("b", missing=["one"]),
                card("c", missing=["1", "2", "3", "4", "5"]),
                card("d"),
            ]
        )
    ]
    assert said == [
        "a: 'a' ends[31m too soon",
        "b: can't be loaded, because a file is missing: one",
        "c: can't be loaded, because files are missing: 1, 2, 3 and 2 more",
    ]


@pytest.mark.parametrize(
    ("tokens", "said"), [(8192, "8K"), (2**20, "1M"), (512, "512"), (128_000, "125K"), (None, ""), (4097, "4097")]
)
def test_context(tokens, said):
    assert human_context(tokens) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (5, "just now"),
        (130, "2 min ago"),
        (3700, "1 hour ago"),
        (2 * 86400 + 5, "2 days ago"),
        (15 * 86400, "2 weeks ago"),
        (61 * 86400, "2 months ago"),
        (800 * 86400, "2 years ago"),
    ],
)
def test_ago(seconds, said):
    assert ago((datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()) == said


def test_tasks_have_words_and_tags():
    assert tag_of("Chat") == tag_of("text-generation") == "text-generation"
    assert tag_of("embeddings") == "feature-extraction"
    assert tag_of("text-to-video") == "text-to-video"  # a plugin's own
    assert tag_of(None) is None
    assert (word_of("text-generation"), word_of("text-to-video")) == ("chat", "text-to-video")
    with pytest.raises(BadRequestError, match="did you mean 'vision'"):
        tag_of("visoin")


# The command


def test_three_stores_are_one_table(stores):
    done = stores.uml("list")
    head, *rows = (re.split(r"\s{2,}", line) for line in done.stdout.splitlines())
    assert head[:2] == ["MODEL", "SIZE"]
    names = [row[0] or f"  {row[1]}" for row in rows]
    assert names == ["mine-Q4_0", "org/Llama-GGUF", "  :Q4_K_M", "  :Q8_0", "tiny:1b"]
    said = dict(zip(("mine", "head", "small", "large", "tiny"), map(set, rows), strict=True))
    assert {"8K", "chat", "gguf", "huggingface"} <= said["head"]
    assert {"13 kB"} <= said["small"]
    assert {"8K", "ollama"} <= said["tiny"]
    assert {human_bytes((stores.models / "mine-Q4_0.gguf").stat().st_size), "folder", "8K"} <= said["mine"]
    assert done.stderr == ""
    assert stores.uml("list").stdout == done.stdout


def test_what_was_read_is_known_the_second_time(stores, monkeypatch):
    first = stores.uml("list").stdout

    def read(path, formats):
        raise AssertionError(f"{path} was read again")

    monkeypatch.setattr("uml_core.registry.registry.inspect", read)
    assert stores.uml("list").stdout == first


def test_a_list_is_filtered(stores):
    def ids(*arguments):
        return [card["id"] for card in stores.json("list", *arguments)]

    assert ids("llama q8") == ["org/Llama-GGUF:Q8_0"]
    assert ids("--store", "ollama") == ["tiny:1b"]
    assert len(ids("--task", "chat", "--format", "gguf")) == 4
    assert ids("--task", "embeddings") == []
    assert "no model on this machine is like that" in stores.uml("list", "nothing-like-it").stderr


def test_parts_of_models_are_shown_only_with_all(machine):
    machine.gguf("lora.gguf", **{"general.type": "adapter", "adapter.type": "lora"})
    assert "only parts of models here; `uml list --all`" in machine.uml("list").stderr
    assert re.search(r"lora .* adapter", machine.uml("list", "--all").stdout)


def test_what_can_not_be_read_is_there_with_its_reason(machine):
    machine.gguf("good.gguf")
    (machine.models / "bad.gguf").write_bytes(b"GGUF\3\0\0\0")
    done = machine.uml("list")
    assert re.search(r"^bad .* unreadable$", done.stdout, re.MULTILINE)
    assert re.search(r"^bad: .+$", done.stdout, re.MULTILINE)


def test_places_that_can_not_be_read_are_told_beside_the_table(machine):
    machine.gguf("good.gguf")
    manifest = machine.home / ".ollama/models/manifests/registry.ollama.ai/library/x/latest"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{")
    done = machine.uml("list")
    assert "x:latest" in done.stderr
    assert "good" in done.stdout
    assert "x:latest" not in done.stdout


def test_an_empty_machine_says_how_to_get_a_model(machine):
    assert "`uml pull starter`" in machine.uml("list").stderr
    assert machine.json("list") == []


def test_a_data_folder_that_can_not_be_written_is_no_obstacle(stores):
    (stores.home / "data" / "run").write_text("in the way of the lock")
    assert len(stores.json("list")) == 4
