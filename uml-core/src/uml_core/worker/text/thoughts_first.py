"""What may stand before an answer that is held to something: thoughts are free."""

from __future__ import annotations

from attrs import frozen

from uml_core.worker.text.family import Family
from uml_core.worker.text.marks import Marks, pattern
from uml_core.worker.text.response import opens_thought


@frozen
class Lead:
    """An expression of Lark for everything before the answer proper, and the rules that it needs."""

    expression: str
    rules: str


_SPACE = "UML_SPACE: /[ \\n]{0,4}/\n"


def lead_of(family: Family, prompt: str, marks: Marks) -> Lead:
    """What the family writes before it says something: a thought, finished if the prompt has begun one, or none."""
    thoughts = family.thoughts
    if thoughts is None:
        return Lead(says_mark(family, marks), "")
    close = marks.number(thoughts.close)
    if close is None:
        body, rule = "uml_thought", f"uml_thought[lazy]: /(.|\\n)*{pattern(thoughts.close)}/\n"
    else:
        body, rule = f"UML_THOUGHT <[{close}]>", "UML_THOUGHT: /(.|\\n)*/\n"
    after = f"{marks.written(thoughts.after)}" if thoughts.after else "UML_SPACE"
    if opens_thought(prompt, thoughts.open):
        thought = f"{body} {after}"
    else:
        thought = f"( {marks.written(thoughts.open)} {body} {after} )?"
    return Lead(f"{thought} {says_mark(family, marks)}", rule + _SPACE)


def says_mark(family: Family, marks: Marks) -> str:
    """What stands before an answer where that is marked."""
    return marks.written(family.says) if family.says else ""
