from __future__ import annotations

import threading
import time

from uml_core.host.devices.answer import Answer
from uml_core.host.devices.cuda_order import VARIABLE
from uml_core.host.devices.finder import Finder
from uml_core.types import Device

GPU = Device(id="cuda:0", kind="cuda", index=0, name="A", uuid="GPU-1")


class Asked:
    """Answers for the drivers, and counts."""

    def __init__(self, **answers):
        self.answers = answers
        self.calls = []
        self.environments = []

    def __call__(self, sources, *, environment):
        self.calls.append(list(sources))
        self.environments.append(dict(environment))
        return [Answer(source=source, **self.answers.get(source, {})) for source in sources]


def finder(asked, *sources, **limits):
    return Finder(sources=lambda: sources, ask=asked, **limits)


def test_without_a_sign_nobody_is_asked():
    asked = Asked()
    assert finder(asked).find().devices == ()
    assert asked.calls == []


def test_an_answer_serves_for_a_moment():
    asked = Asked(cuda={"devices": (GPU,)})
    looking = finder(asked, "cuda", fresh_s=0.2)
    assert looking.find() is looking.find()
    assert looking.find().devices == (GPU,)
    assert len(asked.calls) == 1
    time.sleep(0.25)
    looking.find()
    assert len(asked.calls) == 2


def test_it_looks_again_when_somebody_gave_memory_back():
    asked = Asked(cuda={"devices": (GPU,)})
    looking = finder(asked, "cuda")
    looking.find()
    looking.forget()
    looking.find()
    assert len(asked.calls) == 2


def test_many_that_ask_at_once_share_one_look():
    asked = Asked(cuda={"devices": (GPU,)})
    looking = finder(asked, "cuda")
    threads = [threading.Thread(target=looking.find) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked.calls == [["cuda"]]


def test_one_that_failed_is_left_alone_for_a_while_and_its_problem_stays():
    asked = Asked(cuda={"problem": "it hung"})
    looking = finder(asked, "cuda", "vulkan", fresh_s=0.0, pause_s=0.3)
    assert [looking.find().problems for _ in range(2)] == [("it hung",)] * 2
    assert asked.calls == [["cuda", "vulkan"], ["vulkan"]]
    asked.answers = {"cuda": {"devices": (GPU,)}}
    time.sleep(0.35)
    assert looking.find() == looking.find()
    assert looking.find().devices == (GPU,)
    assert looking.find().problems == ()


def test_if_all_have_failed_nobody_is_asked():
    asked = Asked(cuda={"problem": "it hung"})
    looking = finder(asked, "cuda", fresh_s=0.0)
    assert [looking.find().problems for _ in range(3)] == [("it hung",)] * 3
    assert asked.calls == [["cuda"]]


def test_the_order_of_cuda_is_asked_once():
    asked = Asked(cuda={"devices": (GPU,)})
    looking = finder(asked, "cuda", fresh_s=0.0)
    looking.find(), looking.find()
    assert asked.environments == [{}, {VARIABLE: '[["GPU-1", false]]'}]


def test_an_older_look_serves_who_does_not_ask_what_is_free():
    asked = Asked(cuda={"devices": (GPU,)})
    looking = finder(asked, "cuda", fresh_s=0.0)
    assert looking.find(fresh_s=60.0).devices == (GPU,)
    looking.forget()
    assert looking.find(fresh_s=60.0).devices == (GPU,)
    assert len(asked.calls) == 1
    looking.find()
    assert len(asked.calls) == 2


def test_an_order_with_a_gap_is_not_told_to_the_next_probe():
    third = Device(id="cuda:2", kind="cuda", index=2, name="A", uuid="GPU-3")
    asked = Asked(cuda={"devices": (GPU, third)})
    looking = finder(asked, "cuda", fresh_s=0.0)
    looking.find()
    looking.find()
    assert asked.environments == [{}, {}]
