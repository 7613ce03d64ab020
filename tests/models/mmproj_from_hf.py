"""Write the eyes of an Idefics3 as the second GGUF that llama.cpp wants beside the text model, in float32.

Usage: mmproj_from_hf.py HF_FOLDER FILE.gguf
"""

import json
import sys
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import load_file


def write(folder: Path, file: Path) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    sight, images = config["vision_config"], json.loads((folder / "processor_config.json").read_text("utf-8"))
    images = images["image_processor"]
    writer = gguf.GGUFWriter(file, gguf.MODEL_ARCH_NAMES[gguf.MODEL_ARCH.MMPROJ])
    writer.add_type(gguf.GGUFType.MMPROJ)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type(gguf.VisionProjectorType.IDEFICS3)
    writer.add_vision_projection_dim(config["text_config"]["hidden_size"])
    writer.add_vision_image_size(sight["image_size"])
    writer.add_vision_preproc_image_size(images["size"]["longest_edge"])
    writer.add_vision_patch_size(sight["patch_size"])
    writer.add_vision_embedding_length(sight["hidden_size"])
    writer.add_vision_feed_forward_length(sight["intermediate_size"])
    writer.add_vision_block_count(sight["num_hidden_layers"])
    writer.add_vision_head_count(sight["num_attention_heads"])
    writer.add_vision_attention_layernorm_eps(sight.get("layer_norm_eps", 1e-6))
    writer.add_vision_image_mean(images["image_mean"])
    writer.add_vision_image_std(images["image_std"])
    writer.add_vision_use_gelu(True)
    writer.add_vision_projector_scale_factor(config["scale_factor"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, sight["num_hidden_layers"])
    for name, weight in load_file(folder / "model.safetensors").items():
        if not name.startswith("model.text_model.") and name != "lm_head.weight":
            stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
            assert stored, f"GGUF has no name for the tensor {name!r}"
            writer.add_tensor(stored, weight.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
