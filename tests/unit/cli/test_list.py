from datetime import UTC, datetime, timedelta

import pytest

from uml_core.cli.ago import ago
from uml_core.cli.model_table import COLUMNS, human_context, reasons, rows
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
