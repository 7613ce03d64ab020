"""`uml --help` imports nothing that it doesn't need: it must answer within 0.3 s, which benchmarks/ measures."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = [
    name.replace("-", "_")
    for path in ROOT.glob("plugins/*/pyproject.toml")
    for name in [tomllib.loads(path.read_text("utf-8"))["project"]["name"]]
]
HEAVY = {
    "exllamav2", "exllamav3", "fastapi", "httptools", "llama_cpp", "numpy", "onnxruntime", "psutil",
    "pydantic", "pydantic_core", "pydantic_settings", "sqlalchemy", "starlette", "structlog", "torch", "transformers",
    "uvicorn", "uvloop", "xllamacpp", *PLUGINS,
}  # fmt: skip
RUN = """
import json, sys
sys.argv = ["uml", *{arguments}]
try:
    from uml_core.cli.main import main
    main()
except SystemExit as end:
    code = end.code
print("\\n" + json.dumps([code or 0, sorted({{name.partition(".")[0] for name in sys.modules}})]))
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]], ids=" ".join)
def test_help_is_light(arguments):
    ran = subprocess.run(
        [sys.executable, "-c", RUN.format(arguments=arguments)], capture_output=True, text=True, check=True
    )
    code, imported = json.loads(ran.stdout.splitlines()[-1])
    assert code == 0, ran.stderr
    assert not HEAVY & set(imported), f"imports {sorted(HEAVY & set(imported))}"
