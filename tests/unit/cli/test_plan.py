"""The picture of a plan: as a file has it, as terminals of two widths have it, and what the commands make of it."""

import io

import pytest
from rich.console import Console

from uml_core.cli import planned
from uml_core.cli.amounts import interval
from uml_core.cli.asked import Asked
from uml_core.cli.plan_bar import bar, segments, shares
from uml_core.cli.plan_line import plan_line
from uml_core.cli.plan_page import page, print_plan
from uml_core.errors import BadRequestError

GB, MB = 10**9, 10**6


def part(kind, size, low=None, high=None, source="header"):
    known = {"low_bytes": size if low is None else low, "high_bytes": size if high is None else high}
    return {"kind": kind, "size_bytes": size, **known, "source": source}


def device(name, id, *parts, total, free, **rest):
    freed, margin = rest.pop("freed", 0), rest.pop("margin", 0)
    sums = {key: sum(one[key] for one in parts) for key in ("size_bytes", "low_bytes", "high_bytes")}
    return {
        "device": id,
        "name": name,
        "needs_bytes": sums["size_bytes"],
        "low_bytes": sums["low_bytes"],
        "high_bytes": sums["high_bytes"],
        "parts": list(parts),
        "budget_bytes": (budget := max(0, min(free + freed, total) - margin)),
        "missing_bytes": max(0, sums["size_bytes"] - budget),
        "total_bytes": total,
        "free_bytes": free,
        "freed_bytes": freed,
        "margin_bytes": margin,
        "holders": [],
        "unseen_bytes": 0,
        **rest,
    }


def plan(*devices, **rest):
    sums = {key: sum(one[key] for one in devices) for key in ("needs_bytes", "low_bytes", "high_bytes")}
    memory = {"profile": "cpu", "loads": 0, **sums, "devices": list(devices), **rest.pop("memory", {})}
    return {
        "model": "model:Q4_0",
        "backend": "fake",
        "fits": True,
        "problem": None,
        "would_fit": {},
        "forced": False,
        "context_length": 8192,
        "parallel": 1,
        "decisions": [],
        "memory": memory,
        **rest,
    }


def decision(what, value, reason, pinned=False):
    return {"what": what, "value": value, "reason": reason, "pinned": pinned}


GPU = device(
    "NVIDIA GeForce RTX 4090",
    "cuda:0",
    part("weights", 4580 * MB, 4550 * MB, 4600 * MB),
    part("kv_cache", 1000 * MB),
    part("compute", 300 * MB, 200 * MB, 450 * MB),
    part("overhead", 420 * MB, 350 * MB, 500 * MB),
    total=25800 * MB,
    free=1900 * MB,
    freed=5900 * MB,
    margin=200 * MB,
    holders=[
        {"pid": 4711, "name": "python3", "held_bytes": 16400 * MB},
        {"pid": 9, "name": "X", "held_bytes": 300 * MB},
    ],
    unseen_bytes=1200 * MB,
)
MACHINE = device(
    "memory", "cpu", part("weights", 330 * MB), part("overhead", 210 * MB), total=33 * GB, free=21 * GB, margin=GB
)
WHOLE = plan(
    MACHINE,
    GPU,
    memory={"profile": "24gb", "loads": 6},
    decisions=[
        decision("model", "model:Q4_0", "the best of 3 variants that lies on the device as a whole; Q8_0 takes 9.9 GB"),
        decision("context_length", "8192", "the target of the profile 24gb"),
        decision("threads", "7", "you asked for it", pinned=True),
    ],
)
TIGHT = plan(
    device(
        "memory",
        "cpu",
        part("weights", 20 * GB),
        part("kv_cache", 2 * GB),
        total=16 * GB,
        free=11 * GB,
        margin=GB,
    ),
    fits=False,
    problem="it needs 22.0 GB of memory, where 10.0 GB can be had",
    would_fit={"model": "model:Q2_K", "context_length": 2048},
)


def lines(view, columns=None, *, coloured=False):
    return [line.plain for line in page(view, columns, coloured=coloured)]


def test_a_file_has_the_whole_picture_in_plain_letters():
    assert lines(WHOLE) == [
        "model:Q4_0 fits: 6.8 GB ± 0.2, from 6 loads here",
        "with fake, 8,192 tokens of context",
        "",
        "  NVIDIA GeForce RTX 4090 (cuda:0), 25.8 GB",
        "  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx█████████████▓▓▓▒░···/",
        "  needs   6.3 GB ± 0.2  █ weights 4.6  ▓ KV 1.0  ▒ compute 0.3  ░ overhead 0.4",
        "  budget  7.6 GB: free 1.9 + freed 5.9 \N{MINUS SIGN} / margin 0.2; · 1.3 stay free",
        "  held    x 18.0 GB: 16.4 by python3 (pid 4711), 0.3 by X (pid 9), 1.2 by processes not visible from here",
        "",
        "  memory (cpu), 33.0 GB",
        "  xxxxxxxxxxxxxxxxxxxxxxxxxx█░··········································//",
        "  needs   540 MB  █ weights 330  ░ overhead 210",
        "  budget  20.0 GB: free 21.0 \N{MINUS SIGN} / margin 1.0; · 19.5 stay free",
        "  held    x 12.0 GB already",
        "",
        "  model    model:Q4_0  the best of 3 variants that lies on the device as a whole; Q8_0 takes 9.9 GB",
        "  context  8192        the target of the profile 24gb",
        "  threads  7           pinned: you asked for it",
    ]


def test_what_does_not_fit_shows_where_the_budget_ends():
    assert lines(TIGHT) == [
        "model:Q4_0 doesn't fit: 22.0 GB, by its header",
        "it needs 22.0 GB of memory, where 10.0 GB can be had",
        "with fake, 8,192 tokens of context",
        "",
        "  memory (cpu), 16.0 GB",
        "  xxxxxxxxxxxxx██████████████████████████████████████████████████████▓▓▓▓▓",
        "                         12.0 GB too much ▲",
        "  needs   22.0 GB  █ weights 20.0  ▓ KV 2.0",
        "  budget  10.0 GB: free 11.0 \N{MINUS SIGN} / margin 1.0",
        "  held    x 5.0 GB already",
    ]


@pytest.mark.parametrize(("id", "said"), [("cpu", True), ("cuda:0", False)])
def test_weights_that_need_not_stay_are_named_where_there_is_no_room_for_them(id, said):
    weights = part("weights", 800 * MB, low=300 * MB)
    tight = device("memory", id, weights, total=900 * MB, free=600 * MB, missing_bytes=0)
    told = "  budget  600 MB: free 600" + "; 500 MB of the weights need not stay" * said
    assert told in lines(plan(tight))
    wide = device("memory", id, weights, total=2 * GB, free=2 * GB)
    assert not any("need not stay" in line for line in lines(plan(wide)))


@pytest.mark.parametrize("columns", [40, 60, 80, 100])
@pytest.mark.parametrize("view", [WHOLE, TIGHT])
def test_no_line_is_wider_than_the_terminal(view, columns):
    assert max(map(len, lines(view, columns))) <= columns


def test_a_narrow_terminal_loses_nothing():
    def told(columns):
        return " ".join(" ".join(line for line in lines(WHOLE, columns) if "xx" not in line).split())

    assert sorted(told(80).split()) == sorted(told(None).split())


def test_lines_that_go_on_stand_below_their_beginning():
    told = lines(WHOLE, 80)
    held = next(number for number, line in enumerate(told) if "16.4 by python3" in line)
    assert told[held + 1].startswith("          1.2 by processes")
    reason = next(number for number, line in enumerate(told) if "the best of 3" in line)
    assert told[reason + 1] == " " * told[reason].index("the best") + "whole; Q8_0 takes 9.9 GB"
    assert not any(line.endswith("9.9") for line in told)  # an amount and its unit stay together


@pytest.mark.parametrize(
    ("change", "beginning"),
    [
        ({"fits": False, "forced": True, "problem": "too much"}, "model:Q4_0 doesn't fit, and is forced: 540 MB"),
        ({"memory": None}, "model:Q4_0 fits"),
        ({"parallel": 4}, "model:Q4_0 fits: 540 MB, by its header"),
    ],
)
def test_beginnings(change, beginning):
    told = lines({**plan(MACHINE), **change})
    assert told[0] == beginning or told[0].startswith(beginning)
    assert ("4 at once" in told[1]) is ("parallel" in change)


def test_who_knows_the_numbers_is_said():
    asked = plan(device("memory", "cpu", part("weights", GB, source="probe"), total=2 * GB, free=2 * GB))
    assert lines(asked)[0] == "model:Q4_0 fits: 1.0 GB, as the engine reckons"
    assert lines({**asked, "memory": asked["memory"] | {"loads": 1}})[0] == "model:Q4_0 fits: 1.0 GB, from 1 load here"


def test_a_device_that_gets_nothing_and_one_that_nobody_measured():
    unused = device("Arc", "vulkan:0", total=6 * GB, free=6 * GB)
    unknown = {key: value for key, value in GPU.items() if key in {"device", "needs_bytes", "low_bytes", "high_bytes"}}
    told = lines(plan(unused, MACHINE, {**unknown, "parts": GPU["parts"]}))
    assert told[-1] == "  Arc (vulkan:0), 6.0 GB: nothing is put there"
    assert told[3:5] == ["  cuda:0", "  needs   6.3 GB ± 0.2  █ weights 4.6  ▓ KV 1.0  ▒ compute 0.3  ░ overhead 0.4"]


def test_memory_that_is_shared_is_taken_of_the_machine_too():
    gpu = device("Apple M3", "metal:0", part("weights", 10 * GB), total=18 * GB, free=18 * GB, unified=True)
    machine = device(
        "memory", "cpu", part("overhead", GB), total=24 * GB, free=20 * GB, margin=GB, shared_bytes=10 * GB
    )
    told = lines(plan(machine, gpu))
    assert told[3] == "  Apple M3 (metal:0), 18.0 GB shared with the machine"
    assert told[8:12] == [
        "  memory (cpu), 24.0 GB",
        "  xxxxxxxxxxxx░░░%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%························///",
        "  needs   1.0 GB  ░ overhead 1.0  % and 10.0 GB on accelerators",
        "  budget  19.0 GB: free 20.0 \N{MINUS SIGN} / margin 1.0; · 8.0 stay free",
    ]


def test_names_of_models_and_programs_cannot_steer_the_terminal():
    evil = [{"pid": 1, "name": "a\x1b[31mb", "held_bytes": GB}]
    view = plan({**MACHINE, "holders": evil}, model="m\x1b[2J", decisions=[decision("x\x07", "\x1b", "r\x1b")])
    assert not any("\x1b" in line or "\x07" in line for line in lines(view))


def written(view, **how):
    file = io.StringIO()
    print_plan(view, Console(file=file, highlight=False, **how))
    return file.getvalue()


def test_colours_are_for_terminals_only(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = {"force_terminal": True, "width": 80, "color_system": "standard"}
    assert "\x1b[34m█" in written(WHOLE, **terminal)
    assert "▓" not in written(WHOLE, **terminal)
    assert "\x1b" not in written(WHOLE)
    uncoloured = written(WHOLE, **terminal, no_color=True)
    assert "▓" in uncoloured
    assert "\x1b[34m" not in uncoloured


def test_an_encoding_without_such_letters_has_others():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    print_plan(WHOLE, Console(file=file, highlight=False))
    file.seek(0)
    assert "needs   6.3 GB +/- 0.2  # weights 4.6  = KV 1.0  + compute 0.3  - overhead 0.4" in file.read()


@pytest.mark.parametrize(
    ("sizes", "cells", "given"),
    [
        ([], 10, []),
        ([0, 0], 10, [0, 0]),
        ([1, 1], 10, [5, 5]),
        ([1, 999], 10, [1, 9]),
        ([1, 1, 1, 10**12], 10, [1, 1, 1, 7]),
        ([1, 0, 1], 3, [2, 0, 1]),
        ([5, 5, 5, 5], 2, [1, 1, 1, 1]),
    ],
)
def test_cells_are_shared_by_size_and_nothing_vanishes(sizes, cells, given):
    assert shares(sizes, cells) == given


def test_a_bar_is_as_wide_as_it_may_be_and_adds_up():
    for view in (*WHOLE["memory"]["devices"], *TIGHT["memory"]["devices"]):
        for columns in (20, 72):
            assert len(bar(view, columns, coloured=False)[0]) == columns
    assert sum(size for _, size in segments(GPU)) == GPU["total_bytes"]
    over = TIGHT["memory"]["devices"][0]
    assert sum(size for _, size in segments(over)) == over["total_bytes"] - over["free_bytes"] + over["needs_bytes"]


@pytest.mark.parametrize(
    ("size", "low", "high", "told"),
    [
        (7900, 7600, 8200, "7.9 GB ± 0.3"),
        (7900, 7900, 7900, "7.9 GB"),
        (7900, 7890, 7910, "7.9 GB"),
        (7900, 7900, 8400, "7.9 GB, up to 8.4"),
        (7900, 7100, 7900, "7.9 GB, 7.1 at least"),
        (168, 150, 200, "168 MB ± 32"),
        (0, 0, 0, "0 MB"),
    ],
)
def test_intervals(size, low, high, told):
    assert interval(size * MB, low * MB, high * MB) == told


def test_small_amounts_beside_large_ones_keep_their_own_unit():
    view = device("memory", "cpu", part("weights", 2 * GB), part("compute", 20 * MB), total=8 * GB, free=8 * GB)
    assert "  needs   2.0 GB  █ weights 2.0  ▒ compute 20 MB" in lines(plan(view))


# The line of a load


def test_the_line_of_a_load(job_view):
    brief = {
        "fits": True,
        "forced": False,
        "loads": 6,
        "needs_bytes": 7900 * MB,
        "low_bytes": 7600 * MB,
        "high_bytes": 8200 * MB,
        "devices": [
            {"device": "cpu", "name": "memory", "needs_bytes": 1600 * MB, "budget_bytes": 12100 * MB},
            {"device": "cuda:0", "name": "A GPU", "needs_bytes": 6300 * MB, "budget_bytes": 7600 * MB},
        ],
    }
    assert plan_line(job_view(memory=brief)) == (
        "plan: 7.9 GB ± 0.3 (1.6 of 12.1 GB of memory, 6.3 of 7.6 GB on cuda:0), 4,096 tokens, from 6 loads here"
    )
    forced = {**brief, "forced": True, "loads": 0, "devices": [{**brief["devices"][1], "budget_bytes": None}]}
    assert plan_line(job_view(memory=forced)) == (
        "plan: 7.9 GB ± 0.3 (6.3 GB on cuda:0), 4,096 tokens, forced: it doesn't fit"
    )
    assert plan_line(job_view()) is None
    assert plan_line(job_view(memory=brief, context_length=None)) is None


# Flags, and the command that they make


def test_what_was_asked_goes_on_as_it_was_said():
    asked = Asked(model="m", context_length=2048, spin=False, options=["n_batch=256", "flash_attn=true", "name=a=b"])
    assert asked.how() == {
        "context_length": 2048,
        "spin": False,
        "options": {"n_batch": 256, "flash_attn": True, "name": "a=b"},
    }
    assert Asked(model="m").how() == {}


def test_the_nearest_that_fits_is_a_command_to_copy():
    asked = Asked(model="my model", context_length=9999, spin=True, options=["a=1"])
    would = {"context_length": 2048, "cache_type": "q8_0", "options": {"b": "x y", "c": False}}
    assert asked.command("load", would) == (
        "uml load 'my model' --ctx 2048 --cache-type q8_0 --spin --option a=1 --option 'b=x y' --option c=false"
    )


@pytest.mark.parametrize("word", ["n_batch", "=3", ""])
def test_what_is_no_option_is_refused(word):
    with pytest.raises(BadRequestError, match="is no option; say it like"):
        Asked(model="m", options=[word]).how()


@pytest.fixture
def answers(monkeypatch):
    """Have every plan be that one; what was asked."""
    asked = []

    class Fixed:
        view = WHOLE

        def plan(self, model, **how):
            asked.append((model, how))
            return self.view

    import contextlib

    @contextlib.contextmanager
    def opened(settings, *, writes=False):
        yield Fixed()

    monkeypatch.setattr(planned, "open_registry", opened)
    return Fixed, asked


@pytest.mark.parametrize("verb", [["plan"], ["load", "--dry-run"]])
def test_a_plan_that_fits(machine, answers, verb):
    done = machine.uml(*verb, "model", "--ctx", "8192", "--device", "cuda", "--option", "a=1")
    assert done.exit_code == 0
    assert answers[1] == [("model", {"context_length": 8192, "device": "cuda", "options": {"a": 1}})]
    told = done.stdout.splitlines()
    assert told[:-2] == lines(WHOLE)
    assert told[-1] == "`uml load model --ctx 8192 --device cuda --option a=1` loads it so"


@pytest.mark.parametrize("verb", [["plan"], ["load", "--dry-run"]])
def test_a_plan_that_does_not_fit_names_what_would_and_ends_with_4(machine, answers, verb):
    fixed, _ = answers
    fixed.view = TIGHT
    done = machine.uml(*verb, "model", "--ctx", "8192")
    assert done.exit_code == 4
    assert done.stdout.splitlines()[-1] == "this would fit: `uml load model:Q2_K --ctx 2048`"
    fixed.view = {**TIGHT, "would_fit": {}}
    assert machine.uml(*verb, "model").stdout.splitlines()[-1] == (
        "nothing that could be changed makes it fit here; `uml load model --force` tries it all the same"
    )


def test_a_forced_plan_is_no_failure(machine, answers):
    fixed, asked = answers
    fixed.view = {**TIGHT, "forced": True}
    done = machine.uml("load", "--dry-run", "model", "--force")
    assert done.exit_code == 0
    assert asked == [("model", {"force": True})]
    assert done.stdout.splitlines()[-1] == "`uml load model --force` tries it all the same"


def test_a_program_gets_the_plan_as_it_is(machine, answers):
    assert machine.json("plan", "model") == WHOLE
