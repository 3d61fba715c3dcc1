"""From a bundle to a drawing, with numpy and onnxruntime alone."""
