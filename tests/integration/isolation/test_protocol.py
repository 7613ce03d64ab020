"""A worker in another environment that does, or does not, speak this UML's protocol."""

from __future__ import annotations

import uml_core
from uml_core.types.worker import WORKER_PROTOCOL

NEXT = WORKER_PROTOCOL + 1


def test_the_environment_that_uml_toml_names(with_plugin):
    machine = with_plugin
    machine.launch_apart()
    assert machine.uml("run", "Polly", "hello").stdout.strip() == f"theirs in {machine.folder}/other"
    where = machine.parrot()["backend"]["environment"]
    assert where["interpreter"] == f"{machine.folder}/other/bin/python"
    assert f"in another Python, {where['interpreter']} (" in machine.uml("plugins").stdout


def test_another_protocol_is_refused_before_the_load(with_plugin):
    machine = with_plugin
    core = machine.launch_apart() / "uml_core"
    (core / "types").mkdir(parents=True)
    (core / "__init__.py").write_text("")
    (core / "types" / "__init__.py").write_text("")
    (core / "types" / "worker.py").write_text(f"WORKER_PROTOCOL = {NEXT}\n")
    said = machine.uml("run", "Polly", "hello", code=4).stderr
    assert f"in '{machine.folder}/other/bin/python' speaks worker protocol {NEXT}" in said
    assert (
        f"and UML {uml_core.__version__} here speaks {WORKER_PROTOCOL}; `uml plugins install parrot --isolated`" in said
    )
    assert f"worker protocol {NEXT}" in machine.uml("plugins").stdout
    assert f"worker protocol {NEXT}" in machine.uml("doctor").stdout
    assert not (machine.folder / "data" / "logs" / "worker.log").exists(), "no worker was to be launched"


def test_another_protocol_is_noticed_by_what_the_worker_says(with_plugin):
    """It was changed since it was asked, or the worker is not the one that was asked."""
    machine = with_plugin
    package = machine.launch_apart() / "uml_parrot"
    package.mkdir()
    [site] = machine.own.glob("lib/python*/site-packages")
    (package / "__init__.py").write_text("")
    lie = f"import uml_core.worker.app\numl_core.worker.app.WORKER_PROTOCOL = {NEXT}\n"
    (package / "worker.py").write_text(lie + (site / "uml_parrot/worker.py").read_text())
    said = machine.uml("run", "Polly", "hello", code=4).stderr
    assert f"the uml-core of '{machine.folder}/other/bin/python' speaks worker protocol {NEXT}, and UML" in said
    assert "`uml plugins` shows them" in said


def test_an_environment_that_is_gone(with_plugin):
    machine = with_plugin
    machine.settings = f"[plugins.parrot]\npython = '{machine.folder}/gone/bin/python'\n"
    said = machine.uml("run", "Polly", "hello", code=4).stderr
    assert f"the interpreter '{machine.folder}/gone/bin/python' can't be run" in said
    assert "`uml plugins install parrot --isolated` makes one, or name a Python 3.11 or newer" in said
    assert "can't be run" in machine.uml("plugins").stdout
