import importlib.metadata
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from uml_core.cli import group, main
from uml_core.errors import ConflictError, PluginConflictError, PluginError, UMLError

FORBIDDEN = ("pydantic", "fastapi", "starlette", "sqlalchemy", "rich", "psutil", "uvicorn", "structlog", "http.client")


def run_python(code, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )


def test_help_imports_nothing_heavy():
    code = "import sys\nfrom uml_core.cli.main import app\ntry: app()\nfinally: print(*sys.modules, file=sys.stderr)"
    done = run_python(code, "--help")
    assert done.returncode == 0
    loaded = set(done.stderr.split())
    assert not {name for name in FORBIDDEN if name in loaded}
    assert "uml_core.plugins" not in loaded
    assert "uml_core.settings" not in loaded


def test_every_command_is_in_the_help_and_has_its_own():
    page = CliRunner().invoke(main.app, ["--help"]).output
    for name in group.COMMANDS:
        assert f"\n  {name} " in page
        own = CliRunner().invoke(main.app, [name, "-h"])
        assert own.exit_code == 0
        assert "Usage:" in own.output


def test_no_help_line_is_cut():
    assert "..." not in CliRunner().invoke(main.app, ["--help"]).output.partition("Commands:")[2]


def test_version():
    assert CliRunner().invoke(main.app, ["--version"]).output == f"uml {importlib.metadata.version('uml-core')}\n"


@pytest.mark.parametrize(("typed", "near"), [("lst", "'list'"), ("pulll", "'pull'")])
def test_a_typo_gets_a_suggestion(typed, near):
    result = CliRunner().invoke(main.app, [typed])
    assert result.exit_code == 2
    assert near in result.output


def exit_of(monkeypatch, capsys, error, **environment):
    def app(**_):
        raise error

    monkeypatch.setattr(main, "app", app)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as caught:
        main.main()
    return caught.value.code, capsys.readouterr().err


def test_an_error_is_its_sentence_and_its_exit_code(monkeypatch, capsys):
    code, said = exit_of(monkeypatch, capsys, ConflictError("it's taken", detail=("by pid 3",)))
    assert (code, said) == (5, "error: it's taken\n  by pid 3\n")


def test_an_unexpected_error_has_no_traceback_unless_asked_for(monkeypatch, capsys):
    code, said = exit_of(monkeypatch, capsys, ZeroDivisionError("oops"))
    assert code == 1
    assert said.startswith("error: ZeroDivisionError: oops\n")
    monkeypatch.setenv("UML_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main.main()


def test_a_file_that_cannot_be_used_is_named(monkeypatch, capsys):
    code, said = exit_of(monkeypatch, capsys, PermissionError(13, "Permission denied", "/x/run"))
    assert code == 1
    assert said.startswith("error: '/x/run' can't be used: Permission denied; ")


def test_ctrl_c_is_130(monkeypatch, capsys):
    assert exit_of(monkeypatch, capsys, KeyboardInterrupt()) == (130, "")


def test_a_reader_that_leaves_is_no_error():
    code = "import sys; from uml_core.cli.main import main; sys.argv = ['uml', '--help']; main()"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert said == b""


# Commands of plugins


@pytest.fixture
def offer(monkeypatch, tmp_path):
    """Install distributions that offer commands, on a path of this test's own."""
    monkeypatch.setenv("UML_CONFIG", str(tmp_path / "uml.toml"))
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(distribution, command, target, source=""):
        info = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[uml.commands]\n{command} = {target}\n")
        if source:
            (tmp_path / f"{target.partition(':')[0]}.py").write_text(source)

    return install


GREET = """
import typer
def greet(name: str = "you") -> None:
    "Say hello."
    typer.echo(f"hello {name}")
"""

MANY = """
import typer
app = typer.Typer()
@app.command()
def one(): typer.echo("1")
@app.command()
def two(): typer.echo("2")
"""


def test_a_plugins_command_is_listed_unloaded_and_runs(offer):
    offer("uml-greet", "greet", "uml_test_greet:greet", GREET)
    page = CliRunner().invoke(main.app, ["--help"]).output
    assert "greet" in page
    assert "uml-greet 1.0" in page
    assert "uml_test_greet" not in sys.modules
    assert CliRunner().invoke(main.app, ["greet", "--name", "me"]).output == "hello me\n"
    assert "Say hello." in CliRunner().invoke(main.app, ["greet", "-h"]).output


def test_a_typer_app_is_a_command_with_commands(offer):
    offer("uml-many", "many", "uml_test_many:app", MANY)
    assert CliRunner().invoke(main.app, ["many", "two"]).output == "2\n"


@pytest.mark.parametrize("source", ["raise ValueError('no')", "import sys; sys.exit(3)", "x = 1", "greet = 3"])
def test_a_broken_one_is_named_with_its_package_and_harms_no_other(offer, source):
    module = f"uml_test_broken_{abs(hash(source))}"
    offer("uml-broken", "broken", f"{module}:greet", source)
    assert "broken" in CliRunner().invoke(main.app, ["--help"]).output
    result = CliRunner().invoke(main.app, ["broken"])
    assert isinstance(result.exception, PluginError)
    assert "uml-broken 1.0" in str(result.exception)


def test_two_that_claim_one_name_are_both_named(offer):
    offer("uml-a", "greet", "uml_test_a:greet")
    offer("uml-b", "greet", "uml_test_b:greet")
    result = CliRunner().invoke(main.app, ["greet"])
    assert isinstance(result.exception, PluginConflictError)
    assert "uml-a 1.0" in str(result.exception)
    assert "uml-b 1.0" in str(result.exception)


def test_a_core_command_cannot_be_taken(offer):
    offer("uml-evil", "list", "uml_test_evil:greet", "raise ValueError")
    assert CliRunner().invoke(main.app, ["list", "-h"]).exit_code == 0


@pytest.mark.parametrize(
    "environment",
    [{"UML_DISABLED_PLUGINS": "greet"}, {"UML_PLUGINS__ALLOW": "llamaserver"}, {"UML_PLUGINS__DISABLED": "greet"}],
)
def test_settings_may_block_one(offer, monkeypatch, environment):
    offer("uml-greet", "greet", "uml_test_blocked:greet", "raise AssertionError('imported')")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(main.app, ["greet"])
    assert isinstance(result.exception, UMLError)
    assert "blocked" in str(result.exception)
