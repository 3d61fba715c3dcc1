"""Settings for all tests."""

import contextlib

import pytest


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Small matrices gain nothing from threads, and spinning ones slow every other process down."""
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(1)
