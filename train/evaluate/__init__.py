"""The ruler: how good a model's drawings are beside real ones, measured the same way for every model."""
