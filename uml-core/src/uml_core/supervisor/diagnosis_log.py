"""Find the sign that a worker's last lines show, and say what it means."""

from __future__ import annotations

import re
from pathlib import PurePath

from uml_core.inspection.file import shown
from uml_core.supervisor.diagnosis_case import Case
from uml_core.supervisor.diagnosis_exit import size
from uml_core.supervisor.diagnosis_signs import MODEL_FILE, SIGNS, Sign
from uml_core.types import Diagnosis

FILE = re.compile(
    rf"(?P<quote>['\"`])(?P<quoted>[^'\"`]{{0,999}}{MODEL_FILE})(?P=quote)|(?P<bare>[^\s'\"`]{{1,255}}{MODEL_FILE})"
)
PART = re.compile(r"-(\d{5})-of-(\d{5})\.")
AMOUNT = re.compile(r"(\d[\d.]{0,15}) ?([KMG])i?B\b|(?:size|allocation of|allocate) (\d{4,})\b(?!\.\d| ?[KMG]i?B)")
SERVING_LINES = 40
"""How far back the reason is looked for when the model had long been loaded; it may have complained before."""


def by_log(case: Case) -> Diagnosis | None:
    """The first sign that some line shows."""
    lines = case.lines if case.loading else case.lines[-SERVING_LINES:]
    for sign in SIGNS:
        if not (case.loading or sign.serving):
            continue
        for line in lines:
            if match := sign.pattern.search(line):
                return _told(case, sign, match)
    return None


def _told(case: Case, sign: Sign, match: re.Match[str]) -> Diagnosis:
    named = next((group for group in match.groupdict().values() if group), case.plan.model.architecture)
    words = {
        "amount": _amount(match.string),
        "architecture": shown(case.plan.model.architecture or case.plan.model.format),
        "backend": case.plan.backend,
        "file": _file(case, match.string),
        "or_less": case.or_less(),
        "said": f" ({case.quoted(named)})" if named else "",
        "what": f" '{shown(named)}'" if named else "",
    }
    less = case.less() if "{or_less}" in sign.way_out else None
    return case.found(
        sign.code,
        sign.because.format_map(words),
        sign.way_out.format_map(words),
        deterministic=sign.deterministic,
        suggestion=less,
        evidence=match.string,
    )


def _amount(line: str) -> str:
    """How much it asked for, of the line's numbers the first that is a size."""
    if not (found := AMOUNT.search(line)):
        return ""
    number, unit, count = found.groups()
    asked = float(number) * 1024 ** ("KMG".index(unit) + 1) if number else float(count)
    return f" (it asked for {size(asked)} more)"


def _file(case: Case, line: str) -> str:
    """The file that the line is about, in quotes, with its place if it is one of several."""
    found = FILE.search(line)
    if not found and len(case.plan.model.files) > 1:
        return "one of its files"
    name = PurePath(found["quoted"] or found["bare"]).name if found else case.plan.model.path.name
    part = PART.search(name)
    return f"part {int(part[1])} of {int(part[2])} of it, '{shown(name)}'," if part else f"its file '{shown(name)}'"
