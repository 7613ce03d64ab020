"""What a worker needs by itself: an engine that brings its own text layer runs without the extra `text`."""

import subprocess
import sys

PROGRAM = """
import sys
for name in ("numpy", "jinja2", "llguidance", "tokenizers", "transformers", "pydantic"):
    sys.modules[name] = None  # as if it were not installed
import uml_core.worker.server
from uml_core.worker.routes import routes
print(len(routes()))
"""


def test_a_worker_serves_every_path_without_the_text_layers_libraries():
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) >= 5
