"""Helpers that several tests of plotting share: modules of this folder, which is no package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"plot_tests_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def simulate():
    """The pen simulator: text and machine to a report."""
    return _load("simulator").simulate


@pytest.fixture(scope="session")
def new_report():
    """Makes an empty report of the simulator."""
    return _load("simulator").Report


@pytest.fixture(scope="session")
def random_scenes() -> ModuleType:
    """Scenes of every kind, by number."""
    return _load("random_scenes")
