"""Draw with a trained Sketch-RNN model: a class name in, strokes out."""
