"""Drawing together: what a model makes of drawings that are given to it, and pages that show both."""
