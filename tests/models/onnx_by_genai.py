"""Build a causal language model's ONNX as onnxruntime-genai does, with that package's own builder.

Usage: onnx_by_genai.py HF_FOLDER {fp32,int4} FOLDER
"""

import subprocess
import sys
import tempfile

if __name__ == "__main__":
    source, precision, folder = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        builder = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", source, "-o", folder]
        sys.exit(subprocess.call([*builder, "-p", precision, "-e", "cpu", "-c", work]))
