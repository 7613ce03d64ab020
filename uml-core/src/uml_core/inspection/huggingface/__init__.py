"""Hugging Face's layout of models: ``config.json`` and what lies beside it, for any format of weights."""

from uml_core.inspection.huggingface.config import Config, make_config, read_config
from uml_core.inspection.huggingface.folder import Folder, plain
from uml_core.inspection.huggingface.parameters import Parameters, Weight, count_parameters
from uml_core.inspection.huggingface.quantization import Quantization, read_quantization
from uml_core.inspection.huggingface.source import Layout, Tensors, claims_folder, read_file, read_folder
from uml_core.inspection.huggingface.weights import Naming, Weights, find_weights

__all__ = (
    "Config",
    "Folder",
    "Layout",
    "Naming",
    "Parameters",
    "Quantization",
    "Tensors",
    "Weight",
    "Weights",
    "claims_folder",
    "count_parameters",
    "find_weights",
    "make_config",
    "plain",
    "read_config",
    "read_file",
    "read_folder",
    "read_quantization",
)
