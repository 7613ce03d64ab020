"""Timing, prompts, candidates and the busy process, each by itself."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

from uml_core.bench.burner import burning
from uml_core.bench.candidates import candidates
from uml_core.bench.figures import Figures
from uml_core.bench.memory import held_memory
from uml_core.bench.prompts import Prompts
from uml_core.bench.scope import Effort
from uml_core.bench.surroundings import Surroundings, look_around
from uml_core.bench.timing import Timing, timed
from uml_core.types import HostInfo


def test_the_speed_is_that_of_the_tokens_after_the_first(answer, clock):
    timing = timed(answer(5, token_s=0.5), start_s=clock.now_s - 1, limit_s=10)
    assert timing == Timing(first_s=1.5, last_s=3.5, tokens=5, prompt_tokens=10)
    assert timing.decode_tokens_per_s == 2
    assert timing.prompt_tokens_per_s == pytest.approx(10 / 1.5)


def test_what_a_cache_gave_was_not_read(answer, clock):
    cached = answer(1, prompt_tokens=100, prompt_tokens_details={"cached_tokens": 60})
    assert timed(cached, start_s=clock.now_s, limit_s=10).prompt_tokens == 40


def test_an_answer_that_takes_too_long_is_cut_off(answer, clock):
    timing = timed(answer(1000, token_s=0.5), start_s=clock.now_s, limit_s=2)
    assert timing == Timing(first_s=0.5, last_s=2.5, tokens=5, prompt_tokens=None, cut=True)
    assert timing.prompt_tokens_per_s is None


def test_the_speed_of_one_that_hardly_moves(answer, clock):
    assert timed(answer(9, token_s=4), start_s=clock.now_s, limit_s=2).decode_tokens_per_s == 0.25


def test_a_model_that_only_thinks(answer, clock):
    timing = timed(answer(0, completion_tokens=8), start_s=clock.now_s - 2, limit_s=10)
    assert timing == Timing(first_s=None, last_s=2, tokens=8, prompt_tokens=10)
    assert timing.decode_tokens_per_s == 4


@pytest.mark.parametrize("tokens", [0, 1])
def test_no_speed_of_one_token(tokens):
    assert Timing(first_s=1.0, last_s=2.0, tokens=tokens, prompt_tokens=None).decode_tokens_per_s is None


def test_no_two_prompts_begin_alike():
    prompts = [prompt[0]["content"] for prompt in (Prompts().short(), Prompts().short(), Prompts().long(100))]
    assert len(set(prompts)) == 3
    system, asked = Prompts().long(400)
    assert (system["role"], asked["role"]) == ("system", "user")
    assert 350 <= len(asked["content"].split()) <= 420
    (alone,) = Prompts(with_system=False).short()
    assert alone["role"] == "user"


def test_a_prompt_that_a_small_context_holds():
    effort = Effort().within(256)
    assert (effort.prompt_tokens, effort.answer_tokens) == (128, 64)
    assert Effort().within(8192) == Effort()


def host(cores):
    return HostInfo(platform="linux", physical_cores=cores, logical_cores=cores, memory_bytes=1, free_memory_bytes=1)


@pytest.mark.parametrize(
    ("cores", "default", "pairs"),
    [
        (1, (1, None), [(1, None)]),
        (2, (1, None), [(1, None), (2, None), (2, False)]),
        (4, (3, None), [(3, None), (1, None), (3, False), (4, None), (4, False)]),
        (16, (15, None), [(15, None), (1, None), (8, None), (8, False), (15, False), (16, None), (16, False)]),
    ],
)
def test_what_is_worth_a_try(cores, default, pairs):
    assert candidates(host(cores), default=default) == pairs


def test_the_middle_of_the_runs():
    figures = Figures(backend="a", threads=1, spin=None)
    for speed in (10.0, 50.0, 20.0):
        figures.take_answer(Timing(first_s=1.0, last_s=2.0, tokens=int(speed) + 1, prompt_tokens=None))
    figures.take_memory(100, None)
    figures.take_memory(101, None)
    said = figures.medians()
    assert (said["decode_tokens_per_s"], said["first_token_s"], said["memory_bytes"], said["runs"]) == (20, 1.0, 100, 3)
    assert "device_bytes" not in said


def burn_until_it_is_seen():
    with burning() as pid:
        burner, end_s = psutil.Process(pid), time.monotonic() + 30
        while sum(burner.cpu_times()[:2]) < 0.2:
            assert time.monotonic() < end_s
            time.sleep(0.01)
        raise KeyboardInterrupt(pid)


def test_a_core_burns_until_the_block_is_left():
    with pytest.raises(KeyboardInterrupt) as interrupted:
        burn_until_it_is_seen()
    assert not psutil.pid_exists(interrupted.value.args[0])


def lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_it_burns_no_longer_than_who_lit_it():
    program = "import uml_core.bench.burner as b, os, signal\nwith b.burning() as pid:\n"
    program += "    print(pid, flush=True)\n    os.kill(os.getpid(), signal.SIGKILL)"
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=False)
    pid, end_s = int(done.stdout), time.monotonic() + 30
    while lives(pid):
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_what_else_goes_on():
    seen = look_around()
    assert 0 <= seen.used_cores <= seen.cores
    busy = Surroundings(used_cores=1.26, cores=2, load_average=3.0)
    assert (busy.quiet, str(busy)) == (False, "other programs use 1.3 of 2 cores, load average 3.0")
    assert Surroundings(used_cores=0.1, cores=2, load_average=None).quiet


def test_what_a_worker_holds():
    memory_bytes, _ = held_memory(psutil.Process().pid)
    assert memory_bytes
    assert memory_bytes > 10**6
    assert held_memory(2**22 - 3)[0] is None
