"""UML backend: GGUF through llama.cpp's own server."""
