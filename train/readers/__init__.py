"""Readers of the public drawing formats: ndjson (simplified, raw) and sketch-rnn .npz."""
