"""Whether an import of onnxruntime would kill: tried in a child, once, and remembered."""

import os
import sys
import time
from pathlib import Path

import pytest

from sketch_edge.runtime import probe
from sketch_edge.runtime.probe import deadly_import

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has machines to be wary of")

DIES = "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n"
COUNTS = "from pathlib import Path\nwith (Path(__file__).parent / 'tries').open('a') as file: file.write('x')\n"


@pytest.fixture
def stranger(monkeypatch, tmp_path):
    """A machine of an uncommon kind, with an onnxruntime of its own and an empty cache; returns its source file."""
    uname = os.uname()
    changed = os.uname_result((*uname[:4], "armv9000"))
    monkeypatch.setattr(os, "uname", lambda: changed)
    source = tmp_path / "site" / "onnxruntime" / "__init__.py"
    source.parent.mkdir(parents=True)
    source.write_text(COUNTS)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return source


def tries(source: Path) -> int:
    counted = source.parent / "tries"
    return len(counted.read_text()) if counted.exists() else 0


def test_common_machines_are_not_tried(monkeypatch):
    """On x86-64 no child is started, and nothing is looked up: it costs microseconds."""
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "", "", "", "x86_64")))
    monkeypatch.setattr(probe, "_origin", None)
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    start = time.perf_counter()
    assert deadly_import() is None
    assert time.perf_counter() - start < 0.01


def test_a_good_import_is_tried_once(stranger):
    """The second time the file says so."""
    assert deadly_import() is None
    assert deadly_import() is None
    assert tries(stranger) == 1


def test_a_deadly_import_is_found_and_remembered(stranger):
    """The child dies, we do not."""
    stranger.write_text(COUNTS + DIES)
    for _ in range(2):
        assert deadly_import() == "its import ends the process: Illegal instruction"
    assert tries(stranger) == 1


def test_another_build_is_tried_anew(stranger):
    """What is remembered belongs to one build of onnxruntime."""
    stranger.write_text(COUNTS + DIES)
    assert deadly_import() is not None
    stranger.write_text(COUNTS + "# mended\n")
    assert deadly_import() is None
    assert tries(stranger) == 2


def test_another_processor_is_tried_anew(stranger, monkeypatch):
    """A card may be moved from one board to another."""
    assert deadly_import() is None
    other = os.uname_result(("Linux", "", "", "", "armv9001"))
    monkeypatch.setattr(os, "uname", lambda: other)
    assert deadly_import() is None
    assert tries(stranger) == 2


def test_an_error_of_python_is_left_to_the_import(stranger):
    """It does not kill; who imports sees it."""
    stranger.write_text("raise ImportError('no libgomp')\n")
    assert deadly_import() is None


def test_without_a_place_to_remember_it_tries_again(stranger, monkeypatch, tmp_path):
    """A cache that cannot be written, here because a file stands in its place."""
    (tmp_path / "cache").write_text("in the way")
    assert deadly_import() is None
    assert deadly_import() is None
    assert tries(stranger) == 2


def test_the_run_time_folder_serves_where_the_home_is_read_only(stranger, monkeypatch, tmp_path):
    """It lasts until the machine is started again."""
    (tmp_path / "cache").write_text("in the way")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    assert deadly_import() is None
    assert deadly_import() is None
    assert tries(stranger) == 1


def test_nothing_in_the_current_folder_is_run(stranger, monkeypatch, tmp_path):
    """The child imports from where this process would, not from where the user happens to be."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "onnxruntime.py").write_text(DIES)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    assert deadly_import() is None
    assert tries(stranger) == 1


def test_where_there_is_no_onnxruntime(stranger):
    """Nothing to try."""
    stranger.unlink()
    stranger.parent.rmdir()
    sys.path_importer_cache.clear()
    kept = list(sys.path)
    try:
        sys.path[:] = [kept[0]]
        assert deadly_import() is None
    finally:
        sys.path[:] = kept


def test_a_child_that_hangs(stranger, monkeypatch):
    """After some time it is taken for dead, but not for ever."""
    stranger.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(probe, "LONGEST_TRY", 0.5)
    assert deadly_import() == "its import takes over 0.5 s"
