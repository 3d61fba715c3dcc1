"""The error tree.

::

    SketchError
    ├── InputError (also ValueError)   a file, option or argument was refused
    │   ├── DataError                  a drawing file or data.npz
    │   ├── CheckpointError            a model.pt
    │   └── BundleError                a model.sketch.zip
    └── UnfinishedError (also RuntimeError)   good input, but the disk, the link or the machine failed

The library raises; only the command line prints. A message reads
``where: what is wrong (got, expected); what to do``.
"""

from __future__ import annotations


def escape(text: str) -> str:
    r"""Write characters that do not print (controls, line ends, direction marks, lone surrogates) as ``\x1b``."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


class SketchError(Exception):
    """Base of every error that this package raises on purpose. Its message is one line, whatever it quotes."""

    exit_code = 2
    """What a console command exits with: 2 for bad input, 1 for work that could not be finished."""

    def __init__(self, message: str) -> None:
        super().__init__(escape(message))


class InputError(SketchError, ValueError):
    """A file, an option or an argument is not what it has to be."""


class DataError(InputError):
    """A drawing file or a data set is damaged, foreign or empty."""


class CheckpointError(InputError):
    """A checkpoint is damaged, foreign or of another format."""


class BundleError(InputError):
    """A bundle is damaged, foreign or of another format."""


class UnfinishedError(SketchError, RuntimeError):
    """The input was good, but the work could not be finished: disk, link or machine."""

    exit_code = 1
