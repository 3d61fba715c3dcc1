"""Plotters: the order and tidying of lines, machine profiles, the plan of a plot, and the program that draws it."""
