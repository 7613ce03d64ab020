"""Copy a model of one safetensors file into PyTorch's own format, a pickle.

Usage: bin_from_hf.py HF_FOLDER FOLDER
"""

import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file


def convert(source: Path, folder: Path) -> None:
    torch.save(load_file(source / "model.safetensors"), folder / "pytorch_model.bin")
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors"), dirs_exist_ok=True)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
