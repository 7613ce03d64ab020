"""UML backend: safetensors and PyTorch models through transformers."""
