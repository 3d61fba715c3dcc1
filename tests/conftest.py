"""Settings for all tests."""

import contextlib
import signal
from collections.abc import Iterator

import pytest

LONGEST_S = 600
"""Seconds that a test may take with its fixtures, on however busy a machine: one that hangs must not do so for ever."""


def pytest_configure() -> None:
    """Undo ignored signals: a run in the background or under nohup passes them on to the commands under test."""
    for name, handler in (
        ("SIGINT", signal.default_int_handler),
        ("SIGHUP", signal.SIG_DFL),
        ("SIGTERM", signal.SIG_DFL),
    ):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Let a test that takes too long fail, and say where it was."""
    if not hasattr(signal, "SIGALRM"):
        return (yield)

    def too_long(*_: object) -> None:
        pytest.fail(f"took over {LONGEST_S} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(LONGEST_S)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Small matrices gain nothing from threads, and spinning ones slow every other process down."""
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(1)
