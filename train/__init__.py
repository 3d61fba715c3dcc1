"""From drawings to a checkpoint: data sets, the model, its losses and the training loop."""
