"""What runs the graphs, as asked for or as can be had."""

import sys
from pathlib import Path

import pytest

from sketch_edge.runtime import provider as module
from sketch_edge.runtime.artist import load
from sketch_edge.runtime.bundle import read_bundle
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.plain.session import PlainSession
from sketch_edge.runtime.provider import CHOICES, open_session
from sketch_edge.runtime.session import Session

TINY = read_bundle(Path(__file__).parents[1] / "data" / "tiny.sketch.zip")


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch):
    monkeypatch.delenv("SKETCH_PROVIDER", raising=False)


def test_numpy_as_asked_for():
    """It says its name, and there is nothing to explain."""
    session, fallback = open_session(TINY, "numpy")
    assert isinstance(session, PlainSession)
    assert (session.provider, fallback) == ("numpy", None)
    artist = load(TINY.path, provider="numpy")
    assert (artist.provider, artist.fallback) == ("numpy", None)


def test_auto_takes_onnxruntime():
    """Where it can be imported."""
    session, fallback = open_session(TINY)
    assert type(session) is Session
    assert fallback is None


def test_auto_takes_numpy_where_onnxruntime_cannot_be_imported(monkeypatch):
    """And tells why; who asks for the CPU gets the error."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    session, fallback = open_session(TINY)
    assert session.provider == "numpy"
    assert fallback is not None
    assert fallback.startswith("onnxruntime cannot be used (import of onnxruntime halted")
    with pytest.raises(RuntimeError, match=r"pip install onnxruntime, or choose provider numpy"):
        open_session(TINY, "cpu")


def test_auto_takes_numpy_where_the_import_would_kill(monkeypatch):
    """onnxruntime is then never imported here."""
    monkeypatch.setattr(module, "deadly_import", lambda: "its import ends the process: Illegal instruction")
    session, fallback = open_session(TINY)
    assert session.provider == "numpy"
    assert fallback is not None
    assert "Illegal instruction" in fallback


@pytest.mark.parametrize(("value", "provider"), [("numpy", "numpy"), ("cpu", "cpu"), ("", "cpu"), ("auto", "cpu")])
def test_the_environment_says_what_auto_takes(monkeypatch, value, provider):
    """An empty variable says nothing."""
    if "CUDAExecutionProvider" in __import__("onnxruntime").get_available_providers():
        pytest.skip("auto means CUDA here")
    monkeypatch.setenv("SKETCH_PROVIDER", value)
    session, fallback = open_session(TINY)
    assert (session.provider, fallback) == (provider, None)


def test_an_option_outweighs_the_environment(monkeypatch):
    """The variable is for those who say nothing."""
    monkeypatch.setenv("SKETCH_PROVIDER", "numpy")
    assert open_session(TINY, "cpu")[0].provider == "cpu"


def test_unknown_providers_are_refused(monkeypatch):
    """The error names where the word came from, and what may be chosen."""
    assert CHOICES == ("auto", "cpu", "cuda", "numpy")
    with pytest.raises(InputError, match=r"provider 'tpu': is unknown; choose one of auto, cpu, cuda, numpy"):
        open_session(TINY, "tpu")
    monkeypatch.setenv("SKETCH_PROVIDER", "tpu")
    with pytest.raises(InputError, match=r"SKETCH_PROVIDER 'tpu': is unknown"):
        open_session(TINY)
    monkeypatch.setenv("SKETCH_PROVIDER", "tpu" * 1000)
    with pytest.raises(InputError, match=r"SKETCH_PROVIDER '(tpu)+t?p?\.\.\.: is unknown"):
        open_session(TINY)


@pytest.mark.parametrize("threads", [0, 65, "2"])
def test_threads_out_of_range_are_refused(threads):
    """Whoever computes."""
    with pytest.raises(InputError, match=r"threads .*: choose a whole number, 1 to 64"):
        open_session(TINY, "numpy", threads)
