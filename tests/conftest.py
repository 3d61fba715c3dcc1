"""Settings for all tests."""

import contextlib
import signal

import pytest


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


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Small matrices gain nothing from threads, and spinning ones slow every other process down."""
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(1)
