"""What runs the graphs: onnxruntime on the CPU or on CUDA, or plain numpy where onnxruntime cannot be had."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sketch_edge.runtime.bundle import Bundle
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import short
from sketch_edge.runtime.probe import deadly_import
from sketch_edge.runtime.session import CHOICES as ONNXRUNTIME_CHOICES
from sketch_edge.runtime.session import Session, check_threads, first_line

if TYPE_CHECKING:
    from sketch_edge.runtime.plain.session import PlainSession

AUTO, NUMPY = "auto", "numpy"
CHOICES = (*ONNXRUNTIME_CHOICES, NUMPY)

VARIABLE = "SKETCH_PROVIDER"
"""The environment variable that says what "auto" takes."""


def open_session(bundle: Bundle, provider: str = AUTO, threads: int = 1) -> tuple[Session | PlainSession, str | None]:
    """Load the graphs of a bundle into what shall run them.

    Args:
        bundle: as `read_bundle` gave it.
        provider: "cpu" or "cuda" (onnxruntime), "numpy", or "auto": what the environment variable SKETCH_PROVIDER
            says, else CUDA where it is really there, else the CPU, else, where onnxruntime cannot be imported, numpy.
        threads: of onnxruntime, 1 to 64. numpy's products take as many as its BLAS chooses.

    Returns:
        The session, and why it is numpy where "auto" would have taken onnxruntime.

    Raises:
        InputError, BundleError, UnfinishedError: as `Session`.
    """
    asked, obstacle = _asked(provider), why_numpy(provider, threads)
    if asked == NUMPY or obstacle is not None:
        from sketch_edge.runtime.plain.session import PlainSession

        return PlainSession(bundle), obstacle
    return Session(bundle, asked, threads), None


def why_numpy(provider: str = AUTO, threads: int = 1) -> str | None:
    """Why numpy will draw, where "auto" would have taken onnxruntime; None where it will not, or was asked for.

    Raises:
        InputError: an unknown provider, or a number of threads out of range.
    """
    asked = _asked(provider)
    check_threads(threads)
    return _obstacle() if asked == AUTO else None


def _asked(provider: str) -> str:
    """The provider that is wanted: "auto" is what the environment variable says."""
    asked, source = provider, "provider"
    if provider == AUTO and os.environ.get(VARIABLE):
        asked, source = os.environ[VARIABLE], VARIABLE
    if asked not in CHOICES:
        raise InputError(f"{source} {short(asked)}: is unknown; choose one of {', '.join(CHOICES)}")
    return asked


def _obstacle() -> str | None:
    """Why onnxruntime cannot be used here; None where it can."""
    reason = deadly_import()
    if reason is None:
        try:
            import onnxruntime  # noqa: F401
        except Exception as error:  # a broken installation may raise anything
            reason = first_line(error)
    if reason is None:
        return None
    return f"onnxruntime cannot be used ({reason}); drawing with numpy, which is slower"
