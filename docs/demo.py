"""Draw docs/terminal.svg: real commands, run in a real terminal of 100 columns, as they look when they have ended.

python docs/demo.py [--out docs/terminal.svg] -- needs pyte, and a model that `uml list` shows.
"""

from __future__ import annotations

import argparse
import fcntl
import io
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

COLUMNS, LINES = 100, 60
COMMANDS = (
    'uml run "What is the capital of France? Answer in one word." --temperature 0',
    "uml list",
    "uml recommend --task chat",
    "uml run nonesuch-7b",
)


def play(command: str) -> list[Text]:
    """Run *command* in a terminal of its own and read the screen at the end."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    with subprocess.Popen(
        ["/bin/sh", "-c", command], stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    ):
        os.close(theirs)
        while data := _read(ours):
            stream.feed(data)
    os.close(ours)
    lines = [_line(screen, number) for number in range(LINES)]
    while lines and not lines[-1].plain.strip():
        lines.pop()
    return lines


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end is closed
        return b""


def _line(screen: pyte.Screen, number: int) -> Text:
    text = Text()
    for column in range(COLUMNS):
        cell = screen.buffer[number][column]
        text.append(cell.data, Style(color=_colour(cell.fg), bold=cell.bold, italic=cell.italics))
    text.rstrip()
    return text


def _colour(name: str) -> str | None:
    if name == "default":
        return None
    known = {"brown": "yellow", "brightbrown": "bright_yellow"}.get(name, name)
    if known.startswith("bright") and "_" not in known:
        known = f"bright_{known.removeprefix('bright')}"
    return f"#{known}" if len(known) == 6 and all(letter in "0123456789abcdef" for letter in known) else known


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("terminal.svg"))
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    for command in COMMANDS:
        console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
        for line in play(command):
            console.print(line)
        console.print()
    parser.parse_args().out.write_text(console.export_svg(title="uml"), encoding="utf-8")


if __name__ == "__main__":
    main()
