"""The graphs of a bundle in plain numpy, for machines that onnxruntime has no wheel for."""
