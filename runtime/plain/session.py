"""The graphs of a bundle in plain numpy: provider "numpy", for machines that onnxruntime has no wheel for.

Same bundle, same noise, same arithmetic in float32: the drawings are those of onnxruntime, save where a tie is decided
by the last bit of a sum that was added up in another order.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from sketch_edge.runtime.bundle import Bundle
from sketch_edge.runtime.errors import BundleError
from sketch_edge.runtime.plain.interpreter import Program
from sketch_edge.runtime.session import Floats, Session, State, first_line, load_graph
from sketch_edge.runtime.strokes import STROKE


class PlainSession(Session):
    """The graphs of one bundle, ready to run without onnxruntime. Several threads may share one.

    numpy's BLAS decides how many processor threads a large product gets; see the environment variable
    OPENBLAS_NUM_THREADS.

    Raises:
        BundleError: a graph is not one that the exporter writes, or its inputs and outputs are not those that the
            manifest asks for.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._sizes = bundle.manifest.sizes
        self._lock = threading.Lock()
        self._encode: Any = None
        self.provider = "numpy"
        self._start, self._step = self._load("start.onnx"), self._load("step.onnx")

    def steps(self, state: State) -> PlainSteps:  # type: ignore[override]
        """Begin stepping from `state`; see `PlainSteps`."""
        return PlainSteps(self._step, state, f"{self._bundle.path}:step.onnx")

    def _run(self, session: Program, member: str, outputs: list[str], feed: dict[str, Any]) -> list[Floats]:
        where = f"{self._bundle.path}:{member}"
        bound = session.bind(feed)
        try:
            bound.run()
        except IndexError as error:
            raise BundleError(f"{where}: cannot be run ({first_line(error)})") from error
        for name in outputs:
            if not np.isfinite(bound.outputs[name]).all():
                raise BundleError(f"{where}: gives numbers that are not finite ({name})")
        return [bound.outputs[name] for name in outputs]

    def _load(self, member: str) -> Program:
        """Read a member, check what it takes and gives, and make it ready."""
        where = f"{self._bundle.path}:{member}"
        return Program(load_graph(self._bundle.members[member], member, self._sizes, where), where)


class PlainSteps:
    """A batch of B sketches on the step graph: write `x`, call `run`, read `y`. The state stays in here."""

    def __init__(self, program: Program, state: State, where: str) -> None:
        batch = len(state.h)
        self.x: Floats = np.zeros((batch, STROKE), np.float32)
        """Stroke-5 rows in model units, (B, 5); written in place."""
        self.where = where
        """Names the graph in an error."""
        self._state = State(*(np.array(array, np.float32) for array in state))
        bound = program.bind({"x": self.x, **self._state._asdict()})
        self.y: Floats = bound.outputs["y"]
        """Raw output of the last `run`, (B, 6 M + 3), or with the head "offset" (B, 5)."""
        self._run = bound.run
        self._next = bound.outputs["h_next"], bound.outputs["c_next"]

    def run(self) -> None:
        """Take `x` and the state one step on.

        Raises:
            BundleError: the graph cannot be run.
        """
        try:
            self._run()
        except IndexError as error:
            raise BundleError(f"{self.where}: cannot be run ({first_line(error)})") from error
        self._state.h[:], self._state.c[:] = self._next

    @property
    def state(self) -> State:
        """The state that the next `run` starts from; views that it will write over."""
        return self._state
