"""The rows of the database against what the clients saw; read only when no gateway runs, for it locks the file."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from attrs import frozen

from proving.client import Outcome, Told
from proving.strike import Strike

TERMINAL = frozenset({"ok", "error", "cancelled", "aborted"})
INSTANT_S = 1.0
"""A gateway that was killed so shortly after an answer's last byte may not have noted its end."""


@frozen
class Rows:
    """``missing`` and ``double`` count accepted requests, ``open`` rows without an end.

    ``untrue`` are rows that say otherwise than the client; ``late`` are whole answers whose gateway was killed in the
    instant after, so that their rows say `aborted`.
    """

    total: int
    missing: int
    double: int
    open: int
    untrue: int
    late: int
    by_status: Mapping[str, int]


def compare(database: Path, told: Iterable[Told], strikes: Iterable[Strike]) -> Rows:
    """Look for the row of each request whose client had an answer, whichever."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute("select request_id, status from requests").fetchall()
    count = Counter(request_id for request_id, _ in rows)
    status = dict(rows)
    accepted = [one for one in told if one.status is not None]
    killed = [strike.at_s for strike in strikes if strike.target == "gateway"]
    unlike = [one for one in accepted if count[one.question.id] and not _agree(one, status[one.question.id])]
    late = [one for one in unlike if _is_late(one, status[one.question.id], killed)]
    return Rows(
        total=len(rows),
        missing=sum(1 for one in accepted if count[one.question.id] == 0),
        double=sum(1 for number in count.values() if number > 1),
        open=sum(1 for _, said in rows if said not in TERMINAL),
        untrue=len(unlike) - len(late),
        late=len(late),
        by_status=Counter(said for _, said in rows),
    )


def _agree(told: Told, status: str) -> bool:
    """Whether a row tells the same as the client: ``ok`` for a whole answer, and for nothing else that was seen.

    One whose connection broke knows only that it broke: the answer may have been on its way.
    """
    if told.outcome is Outcome.BROKEN:
        return True
    return (status == "ok") == (told.outcome in {Outcome.WHOLE, Outcome.WRONG})


def _is_late(told: Told, status: str, killed: list[float]) -> bool:
    return status == "aborted" and any(0 <= at_s - told.ended_s < INSTANT_S for at_s in killed)
