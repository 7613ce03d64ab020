import pytest

from uml_core.cli.recommend import _tell, _tell_left_out
from uml_core.errors import BadRequestError

MODELS = [{"model": f"model{number}", "reason": f"The reason {number}."} for number in range(3)]


def test_the_best_comes_with_its_sentence_and_its_command(capsys):
    _tell(MODELS, "chat", found=True)
    assert capsys.readouterr().out.splitlines() == [
        "model0",
        "    The reason 0.",
        "    `uml run model0` asks it",
        "",
        "2  model1",
        "    The reason 1.",
        "3  model2",
        "    The reason 2.",
    ]


def test_what_was_left_out_is_told_but_not_all_of_it(capsys):
    _tell_left_out(MODELS, most=2)
    assert capsys.readouterr().err.splitlines() == [
        "model0: The reason 0.",
        "model1: The reason 1.",
        "and 1 more; `uml recommend --all` says why",
    ]
    _tell_left_out(MODELS, most=None)
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_without_a_backend_each_one_has_its_reason(stores):
    done = stores.uml("recommend")
    assert "no model on this disk can be recommended for chat" in done.stderr
    assert "mine-Q4_0: " in done.stderr
    assert {one["model"] for one in stores.json("recommend")["left_out"]} == {
        "mine-Q4_0",
        "org/Llama-GGUF:Q4_K_M",
        "org/Llama-GGUF:Q8_0",
        "tiny:1b",
    }


def test_an_empty_machine_and_an_unknown_task(machine):
    assert "`uml pull starter`" in machine.uml("recommend").stderr
    with pytest.raises(BadRequestError, match="did you mean"):
        machine.uml("recommend", "--task", "visoin")
