"""The conversation on a real terminal."""

import re


def plain(text):
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


def test_a_conversation(machine):
    machine.model("tiny")
    machine.model("other")
    terminal = machine.terminal("run", "tiny", "--system", "Be kind.")
    terminal.expect(">>> ")
    terminal.type("nonce=first\n")
    assert "first word1 word2" in plain(terminal.expect("tokens/s"))
    assert "tiny · fake" in plain(terminal.expect(">>> "))
    terminal.type("two lines \\\n")
    terminal.expect("... ")
    terminal.type("nonce=second\n")
    assert "second word1" in terminal.expect(">>> ")
    terminal.type('"""one\n')
    terminal.expect("... ")
    terminal.type('nonce=third"""\n')
    assert "third word1" in terminal.expect(">>> ")
    terminal.type("/model other\n")
    terminal.expect("other · fake answers from now on")
    terminal.type("/help\n")
    terminal.expect("/clear")
    terminal.type("/what\n")
    terminal.expect("there is no command '/what'")
    terminal.type("/model unknown\n")
    terminal.expect("there is no model 'unknown'")
    terminal.type("nonce=fourth\n")
    terminal.expect("fourth word1")
    terminal.expect(">>> ")
    terminal.type("/bye\n")
    assert terminal.end() == 0
    assert not machine.workers()
    history = machine.folder / "data" / "history"
    assert "nonce=first" in history.read_text()
    assert history.stat().st_mode & 0o777 == 0o600


def test_ctrl_c_stops_the_answer_only(machine):
    machine.model("slow", tokens=10_000, token_s=0.01)
    terminal = machine.terminal("run", "slow")
    terminal.expect(">>> ")
    terminal.type("Go on\n")
    terminal.expect("word3")
    terminal.type("\x03")
    terminal.expect("(stopped)")
    terminal.expect(">>> ")
    terminal.interrupt()
    terminal.expect("/bye ends")
    terminal.expect(">>> ")
    terminal.type("\x04")
    assert terminal.end() == 0
    assert not machine.workers()


def test_a_model_that_cannot_be_loaded_leaves_the_conversation_as_it_was(machine):
    machine.model("tiny")
    machine.model("broken", load_exit=1)
    machine.model("slow", load_s=30)
    terminal = machine.terminal("run", "tiny")
    terminal.expect(">>> ")
    terminal.type("/model broken\n")
    terminal.expect("'broken' could not be loaded")
    terminal.expect("rolled back: 'tiny' is loaded again")
    terminal.expect(">>> ")
    terminal.type("/model slow\n")
    terminal.expect("loading slow")
    terminal.type("\x03")
    terminal.expect("(stopped)")
    terminal.expect(">>> ")
    terminal.type("nonce=still\n")
    terminal.expect("still word1")
    terminal.expect(">>> ")
    terminal.type("/bye\n")
    assert terminal.end() == 0
    assert not machine.workers()


def test_an_engine_that_dies_is_started_again(machine):
    machine.model("frail", stream_fault="crash")
    terminal = machine.terminal("run", "frail")
    for _ in range(2):
        terminal.expect(">>> ")
        terminal.type("Hello there\n")
        terminal.expect("word2")
        terminal.expect("error:")
        terminal.expect("'frail' stopped: its process was killed by SIGKILL")
    terminal.expect(">>> ")
    terminal.type("/exit\n")
    assert terminal.end() == 0
    assert not machine.workers()


def test_a_long_load_shows_a_bar(machine):
    machine.model("slow", load_s=2.5)
    terminal = machine.terminal("run", "slow", "Hi there")
    terminal.expect("loading slow")
    terminal.expect("Hello")
    terminal.expect("tokens/s")
    assert terminal.end() == 0


def test_a_terminal_that_goes_away_leaves_no_process(machine, wait_for):
    import os

    machine.model("tiny")
    terminal = machine.terminal("run", "tiny")
    terminal.expect(">>> ")
    os.close(terminal.descriptor)
    machine._descriptors.remove(terminal.descriptor)
    terminal.process.wait(30)
    wait_for(lambda: not machine.workers())


def test_no_model_asks_before_anything_is_fetched(machine):
    terminal = machine.terminal("run", "Why is the sky blue?")
    terminal.expect("Apache-2.0")
    terminal.expect("[Y/n]")
    terminal.type("n\n")
    assert terminal.end() == 3
    assert "uml pull starter" in plain(terminal.seen)


def test_an_answer_cannot_steer_the_terminal(machine):
    machine.model("evil", text="a\x1b]0;title\x07b")
    terminal = machine.terminal("run", "evil", "Hi there")
    terminal.expect("a]0;titleb")
    assert terminal.end() == 0
    assert "\x1b]0" not in terminal.seen
