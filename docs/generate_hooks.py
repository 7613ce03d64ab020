"""Write docs/hooks.md: the prose of docs/hooks.in.md, filled with what the code's docstrings say.

``python docs/generate_hooks.py`` writes it; with ``--check`` nothing is written, and a stale file is an error.
"""

from __future__ import annotations

import ast
import enum
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType

import attrs

from uml_core import errors, hookspecs, plugins, testing, types, worker

FOLDER = Path(__file__).parent
PROSE, PAGE = FOLDER / "hooks.in.md", FOLDER / "hooks.md"
NOTICE = "<!-- Written by docs/generate_hooks.py from docs/hooks.in.md and the docstrings. Change those. -->\n\n"


def page() -> str:
    """The whole of docs/hooks.md."""
    parts: dict[str, Callable[[], str]] = {
        "cardinalities": cardinalities,
        "conformance": conformance,
        "hooks": hooks,
        "values": values,
        "worker": worker_side,
        "errors": error_tree,
    }
    return NOTICE + re.sub(r"\{\{ (\w+) \}\}", lambda place: parts[place[1]]().strip(), PROSE.read_text("utf-8"))


def specs() -> list[FunctionType]:
    """The hooks in the order of the page that declares them."""
    return [spec for name, spec in vars(hookspecs).items() if name.startswith("uml_")]


def cardinalities() -> str:
    """A table: who is asked by which hook."""
    rows = [f"| [`{spec.__name__}`](#{spec.__name__}) | {cardinality(spec)} | {first_line(spec)} |" for spec in specs()]
    return "\n".join(["| hook | who is asked | what for |", "|---|---|---|", *rows])


def cardinality(spec: FunctionType) -> str:
    """Who is asked, as plugins.py does it."""
    if spec.__name__ == "uml_detect_backend":
        return "each backend, addressed, one by one"
    if spec.__name__ == "uml_detect_devices":
        return "every plugin, one by one, in a child process"
    if spec.__name__ in plugins.ADDRESSED:
        return "the plan's backend, addressed"
    if spec.__name__ in plugins.KINDS:
        return "every plugin, once; records are collected"
    return "every plugin, broadcast" if returns(spec) == "None" else "every backend, once"


def hooks() -> str:
    """A section a hook."""
    return "\n\n".join(
        ["## Hooks", *(f"### {spec.__name__}\n\n{fenced(signature(spec))}\n\n{doc(spec)}" for spec in specs())]
    )


def values() -> str:
    """A section a value class, with its fields."""
    shown = [getattr(types, name) for name in types.__all__]
    classes = [section(value) for value in shown if inspect.isclass(value)]
    return "\n\n".join(["## Values", prose(inspect.getdoc(types) or ""), aliases(), *classes])


def aliases() -> str:
    """The names that stand for a type in the fields below, from the sources."""
    rows = [f"| `{name}` | {cell(text)} |" for module in type_modules() for name, text in assigned(module)]
    return "\n".join(["| name | stands for |", "|---|---|", *rows])


def type_modules() -> list[ModuleType]:
    return [module for module in vars(types).values() if inspect.ismodule(module)]


def assigned(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Each ``Name = type`` of a module's top level."""
    for statement in ast.parse(inspect.getsource(module)).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            yield statement.targets[0].id, ast.unparse(statement.value)


def section(value: type) -> str:
    """One value class: its docstring and its fields, members or methods."""
    parts = [f"### {value.__name__}", doc(value)]
    if issubclass(value, enum.Enum):
        parts.append("Members: " + ", ".join(f"`{member.name}` = `{member.value!r}`" for member in value))
    elif attrs.has(value):
        parts.append(fields(value))
    members = [own for name, own in vars(value).items() if not name.startswith("_") and is_member(own)]
    parts += [f"- {member_line(member)}" for member in members]
    return "\n\n".join(parts)


def fields(value: type) -> str:
    own = [field for field in attrs.fields(value) if not field.inherited]
    rows = [f"| `{field.name}` | {cell(str(field.type))} | {default(field)} |" for field in own]
    bases = [base.__name__ for base in value.__bases__ if attrs.has(base)]
    inherited = [f"\nand the fields of {', '.join(f'`{base}`' for base in bases)}"] if bases else []
    return "\n".join(["| field | type | default |", "|---|---|---|", *rows, *inherited])


def cell(code: str) -> str:
    """Code in a cell of a table, where even within backticks a bar would end the cell."""
    return f"`{code}`".replace("|", r"\|")


def default(field: attrs.Attribute[object]) -> str:
    """The default of a field as code, or that it has none."""
    if field.default is attrs.NOTHING:
        return "required"
    if (factory := getattr(field.default, "factory", None)) is not None:
        return cell(repr(factory()))
    return "a function" if callable(field.default) else cell(repr(field.default))


def is_member(own: object) -> bool:
    """Whether it is a method or property that the class itself writes down."""
    return isinstance(own, FunctionType | classmethod | property)


def member_line(member: FunctionType | classmethod[object, ..., object] | property) -> str:
    if isinstance(member, property):
        getter = member.fget
        assert getter
        return f"`{getter.__name__}`{': ' + first_line(getter) if getter.__doc__ else ''}"
    function = member.__func__ if isinstance(member, classmethod) else member
    return f"`{signature(function)}`{': ' + first_line(function) if function.__doc__ else ''}"


def worker_side() -> str:
    """What ``uml_core.worker`` offers."""
    parts = ["## The worker's side: `uml_core.worker`", doc(worker)]
    for name in sorted(worker.__all__):
        value = getattr(worker, name)
        if inspect.isclass(value):
            parts.append(section(value))
        elif inspect.isfunction(value):
            parts += [f"### {name}", fenced(signature(value)), doc(value)]
    return "\n\n".join(parts)


def error_tree() -> str:
    """The tree at the top of errors.py."""
    text = inspect.getdoc(errors) or ""
    head, _, rest = text.partition("\n\n")
    tree, _, tail = rest.partition("\n\n")
    return "\n\n".join(["## Errors: `uml_core.errors`", prose(head), fenced(tree, "text"), prose(tail)])


def conformance() -> str:
    """The attributes of a conformance class, from the source: a string below an attribute is its documentation."""
    source = Path(testing.__file__).with_name("conformance") / "subject.py"
    subject = next(node for node in ast.parse(source.read_text("utf-8")).body if isinstance(node, ast.ClassDef))
    rows = []
    for statement, below in zip(subject.body, subject.body[1:], strict=False):
        if (
            isinstance(statement, ast.AnnAssign)
            and isinstance(below, ast.Expr)
            and isinstance(below.value, ast.Constant)
        ):
            rows.append(f"| `{ast.unparse(statement.target)}` | {prose(str(below.value.value))} |")
        if isinstance(statement, ast.FunctionDef) and statement.name == "sample":
            rows.append(f"| fixture `sample` | {prose(ast.get_docstring(statement) or '')} |")
    return "\n".join(["| attribute | |", "|---|---|", *rows])


# --- from docstrings to Markdown --------------------------------------------------------------------------------


def doc(value: object) -> str:
    return prose(inspect.getdoc(value) or "")


def first_line(value: object) -> str:
    """The docstring's first paragraph."""
    return prose((inspect.getdoc(value) or "").partition("\n\n")[0]).replace("\n", " ")


def prose(text: str) -> str:
    """A docstring as Markdown: fields become a list, an indented example a fence, references code."""
    text, _, example = text.partition("Example::\n")
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text).replace("``", "`")
    text = re.sub(r"^:param (\w+): ", r"- `\1`: ", text, flags=re.MULTILINE)
    text = re.sub(r"^:returns: ", "- returns ", text, flags=re.MULTILINE)
    text = re.sub(r"^:raises (\w+): ", r"- raises `\1`: ", text, flags=re.MULTILINE)
    text = re.sub(r"^    (?=\S)", "  ", text, flags=re.MULTILINE)
    return text.strip() + (f"\n\nExample:\n\n{fenced(textwrap.dedent(example).strip())}" if example else "")


def fenced(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}\n```"


def signature(function: Callable[..., object]) -> str:
    """``name(parameters) -> type`` as the source has it."""
    parameters = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(function)))
    parameters = re.sub(r"<function (\w+) at 0x\w+>", r"\1", parameters)
    parameters = re.sub(r"^\((self|cls)(, )?", "(", parameters)
    word = "async " if inspect.iscoroutinefunction(function) else ""
    return f"{word}{function.__name__}{parameters}"


def returns(function: FunctionType) -> str:
    return str(function.__annotations__["return"])


def main(arguments: list[str]) -> int:
    """Write the page, or check that it is current."""
    wanted = page()
    if "--check" in arguments:
        if PAGE.is_file() and PAGE.read_text("utf-8") == wanted:
            return 0
        sys.stderr.write(f"{PAGE.name} is stale; run `python docs/generate_hooks.py`\n")
        return 1
    PAGE.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
