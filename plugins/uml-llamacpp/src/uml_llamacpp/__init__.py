"""UML backend: GGUF through llama-cpp-python."""
