"""A conversation on a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import field, mutable

from uml_core.cli.failure import tell
from uml_core.cli.line import Line
from uml_core.cli.output import say
from uml_core.cli.progress import progress
from uml_core.cli.reply import Reply, say_cost
from uml_core.cli.session import Loaded, Session
from uml_core.errors import UMLError
from uml_core.types import LoadRequest

HELP = """\
/clear        forget the conversation so far
/model NAME   go on with another model
/bye          end (also /exit, Ctrl-D)
A backslash at the end of a line, or \"\"\" around several lines, makes them one message.
Ctrl-C stops an answer."""


@mutable
class Chat:
    """Reads messages, writes answers, until Ctrl-D; ``messages`` begins with the system message, if there's one."""

    session: Session
    loaded: Loaded
    parameters: Mapping[str, Any] = field(kw_only=True)
    messages: list[dict[str, str]] = field(kw_only=True)
    history_file: Path = field(kw_only=True)

    def run(self) -> None:
        say(f"{self.loaded.model} · {self.loaded.backend} · /help says what you can do", style="dim")
        with Line(self.history_file) as line:
            while True:
                try:
                    said = line.read()
                except KeyboardInterrupt:  # at the prompt it only throws away the line
                    say("\n(Ctrl-D or /bye ends)", style="dim")
                    continue
                if said is None or said in {"/bye", "/exit", "/quit"}:
                    return
                self._take(said)

    def _take(self, said: str) -> None:
        try:
            if said.startswith("/") and "\n" not in said:
                self._obey(*said.split(maxsplit=1))
            elif said:
                self._ask(said)
        except UMLError as error:
            tell(error)

    def _obey(self, order: str, rest: str = "") -> None:
        if order in {"/help", "/?"}:
            say(HELP, style="dim")
        elif order == "/clear":
            self.messages = [message for message in self.messages if message["role"] == "system"]
            say("the conversation is forgotten", style="dim")
        elif order == "/model" and rest:
            self._change(rest)
        elif order == "/model":
            say(f"{self.loaded.model} answers; here are: {', '.join(self.session.models())}", style="dim")
        else:
            say(f"there is no command '{order}'; /help lists them", style="yellow")

    def _change(self, ref: str) -> None:
        with self._stoppable(), progress(self.session.stage, label=f"checking {ref}"):
            self.loaded = self.session.load(LoadRequest(model=ref))
            say(f"{self.loaded.model} · {self.loaded.backend} answers from now on", style="dim")

    def _ask(self, said: str) -> None:
        asked = [*self.messages, {"role": "user", "content": said}]
        reply = Reply()
        waiting = progress(self.session.stage, label="reading the prompt")
        try:
            with self._stoppable():
                reply.show(lambda: self.session.chat(asked, self.parameters), waiting=waiting)
        finally:
            if reply.text:  # what came before a stop or a failure was seen, so it counts
                self.messages = [*asked, {"role": "assistant", "content": reply.text}]
        if reply.cost:
            say_cost(reply.cost, self.loaded)

    @contextlib.contextmanager
    def _stoppable(self) -> Any:
        try:
            yield
        except KeyboardInterrupt:
            say("(stopped)", style="dim")
