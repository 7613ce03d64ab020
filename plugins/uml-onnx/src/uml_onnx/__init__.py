"""UML backend: ONNX through onnxruntime."""
