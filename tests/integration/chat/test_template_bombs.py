"""Templates that cost time or memory, or try to break out, do no more than be refused."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from uml_core.errors import BadRequestError

HELLO = [{"role": "user", "content": "hello"}]
BOMBS = {
    "loops": "{% for a in range(999) %}{% for b in range(999) %}{% for c in range(999) %}{% endfor %}{% endfor %}"
    "{% endfor %}",
    "while": "{% for a in range(99999) %}{% for b in range(99999) %}{% if a * b < 0 %}{% break %}{% endif %}"
    "{% endfor %}{% endfor %}",
    "text": "{{ 'x' * 10**9 }}",
    "text of the message": "{{ messages[0].content * 10**9 }}",
    "list": "{{ [0] * 10**9 }}",
    "number": "{{ (messages|length * 10) ** (10 ** 10) }}",
    "recursion": "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
    "output": "{% for a in range(99999) %}{{ 'y' * 99 }}{% endfor %}",
    "padding": "{{ '%099999999d' % 3 }}",
    "format": "{{ '{:>999999999}'.format(1) }}",
    "doubling": "{% set ns = namespace(x='ab') %}{% for a in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "range": "{{ range(10**12) | list }}",
    "replace": "{{ ('a' * 10**6) | replace('a', 'b' * 10**6) }}",
    "regular text": "{{ messages[0].content | wordwrap(1) | center(10**9) }}",
}
ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''|attr('__class__')|attr('__mro__') }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ self.__init__.__globals__ }}",
    "{{ '{0.__class__.__mro__}'.format('') }}",
    "{{ '{a.__class__}'.format_map({'a': 1}) }}",
    "{{ ('%s' ~ '{0.__class__}').format(1) }}",
    "{% set f = '{0.__class__.__init__}'.format %}{{ f(1) }}",
    "{{ ['{0.__class__}'] | map('format', 1) | list }}",
    "{{ '{0.__class__}' | attr('format') }}{{ ('{0.__class__}' | attr('format'))(1) }}",
    "{{ dict.__subclasses__() }}",
    "{{ namespace(__class__=1) }}",
    "{% set ns = namespace() %}{% set ns.__dict__ = 1 %}",
    "{{ messages.append(1) }}",
    "{{ raise_exception.__globals__ }}",
    "{{ strftime_now.__globals__['sys'] }}",
    "{{ lipsum.__globals__ }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
]


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_bomb_is_refused_and_the_next_chat_is_not(bomb, template):
    bombed = template("{% if messages[0].content == 'hello' %}" + bomb + "{% else %}fine{% endif %}")
    with pytest.raises(BadRequestError) as caught:
        bombed.render(HELLO)
    assert caught.value.param == "messages"
    assert bombed.render([{"role": "user", "content": "well"}]) == "fine"


def test_bomb_in_a_constant_is_found_when_it_is_compiled(template):
    with pytest.raises(BadRequestError):
        template("{{ 'x' * 10**9 }}").render(HELLO)


@pytest.mark.parametrize("escape", ESCAPES)
def test_nothing_of_python_is_in_reach(escape, template):
    try:
        text = template(escape).render(HELLO)
    except BadRequestError as error:
        text = error.message
        assert "root:" not in text
        return
    assert not any(word in text for word in ("class", "uid=", "root:", "object at", "module", "popen"))


def test_killed_child_is_replaced(template):
    made = template("{{ messages[0].content }}")
    assert made.render(HELLO) == "hello"
    first = made._process.pid
    os.kill(first, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(first)] if psutil.pid_exists(first) else [], timeout=5)
    assert made.render(HELLO) == "hello"
    assert made._process.pid != first


def test_chats_of_other_threads_wait_no_longer_than_the_budget(template):
    made = template("{% if messages[0].content == 'hello' %}" + BOMBS["loops"] + "{% endif %}fine")
    said: list[str] = []

    def ask(word: str) -> None:
        try:
            said.append(made.render([{"role": "user", "content": word}]))
        except BadRequestError:
            said.append("refused")

    threads = [threading.Thread(target=ask, args=(word,)) for word in ("hello", "a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(said) == ["fine", "fine", "fine", "refused"]


def test_closed_template_leaves_no_process(template):
    made = template("x")
    child = psutil.Process(made._process.pid)
    made.render(HELLO)
    made.close()
    assert not child.is_running()
    with pytest.raises(BadRequestError):
        made.render(HELLO)
    assert not child.is_running()


@pytest.mark.skipif(sys.platform == "win32", reason="processes are ended otherwise there")
@pytest.mark.parametrize("source", ["x", BOMBS["loops"]], ids=["idle", "busy"])
def test_child_ends_with_its_parent(source, tmp_path):
    program = (
        "import sys, threading, time\n"
        "from uml_core.worker.text.template import ChatTemplate\n"
        f"made = ChatTemplate({{'default': {source!r}}}, {{}}, longest=1000)\n"
        "threading.Thread(target=made.render, args=([{'role': 'user', 'content': 'hello'}],), daemon=True).start()\n"
        "print(made._process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    script = Path(tmp_path, "parent.py")
    script.write_text(program)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()
    child.wait(30)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process was started with")
def test_child_knows_no_secret(template, monkeypatch):
    monkeypatch.setenv("MY_SECRET", "hush")
    made = template("x")
    made.render(HELLO)
    assert "hush" not in Path(f"/proc/{made._process.pid}/environ").read_text()
