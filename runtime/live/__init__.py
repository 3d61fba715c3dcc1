"""Live view: a drawing appears stroke by stroke, in a terminal or in a window."""
