"""Atomic writes: the whole new file or the old one, and nothing beside it."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sketch_edge.runtime.errors import InputError, UnfinishedError
from sketch_edge.runtime.files import TEMPORARY_SUFFIX, check_writable, sweep_temporaries, write_atomic


def names(folder: Path) -> list[str]:
    """What is in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


as_root = os.geteuid() == 0


def test_a_new_file_is_written(tmp_path):
    """The bytes given are the bytes in the file, and nothing else is in the folder."""
    write_atomic(tmp_path / "star.svg", b"\x00\xff\r\n")
    assert (tmp_path / "star.svg").read_bytes() == b"\x00\xff\r\n"
    assert names(tmp_path) == ["star.svg"]


def test_an_old_file_is_replaced(tmp_path):
    """A longer old file leaves nothing of itself."""
    target = tmp_path / "star.svg"
    target.write_bytes(b"a much longer file")
    write_atomic(str(target), b"new")
    assert target.read_bytes() == b"new"


def test_a_new_file_gets_the_permissions_of_the_umask(tmp_path):
    """Like a file that any other program creates."""
    before = os.umask(0o027)
    try:
        write_atomic(tmp_path / "star.svg", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "star.svg").stat().st_mode) == 0o640


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o777])
def test_the_permissions_of_an_old_file_are_kept(tmp_path, mode):
    """A private file stays private, an executable one executable."""
    target = tmp_path / "star.svg"
    target.write_bytes(b"old")
    target.chmod(mode)
    write_atomic(target, b"new")
    assert stat.S_IMODE(target.stat().st_mode) == mode


@pytest.mark.skipif(not as_root, reason="only root can give a file to somebody else")
def test_the_owner_of_an_old_file_is_kept(tmp_path):
    """A file that root writes stays its owner's."""
    target = tmp_path / "star.svg"
    target.write_bytes(b"old")
    os.chown(target, 12345, 12345)
    write_atomic(target, b"new")
    assert (target.stat().st_uid, target.stat().st_gid) == (12345, 12345)


def test_a_symbolic_link_stays_one(tmp_path):
    """The file that a link names is replaced, not the link; the link may lead to another folder."""
    (tmp_path / "real").mkdir()
    real, link = tmp_path / "real" / "star.svg", tmp_path / "link.svg"
    real.write_bytes(b"old")
    link.symlink_to(real)
    write_atomic(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert names(tmp_path) == ["link.svg", "real"]
    assert names(tmp_path / "real") == ["star.svg"]


def test_a_link_to_nothing_creates_its_file(tmp_path):
    """A link to a file that is not there yet is followed too."""
    (tmp_path / "link.svg").symlink_to("star.svg")
    write_atomic(tmp_path / "link.svg", b"new")
    assert (tmp_path / "star.svg").read_bytes() == b"new"


def test_a_link_in_a_circle_is_refused(tmp_path):
    """A link that leads to itself names no file."""
    (tmp_path / "a.svg").symlink_to("b.svg")
    (tmp_path / "b.svg").symlink_to("a.svg")
    with pytest.raises(InputError, match="leads to itself"):
        write_atomic(tmp_path / "a.svg", b"new")


def test_a_folder_is_refused(tmp_path):
    """The message says that it is a folder, once."""
    with pytest.raises(InputError) as caught:
        write_atomic(tmp_path, b"new")
    assert str(caught.value) == f"{tmp_path}: is a folder (expected a file name); name a file in it"


def test_a_missing_folder_is_refused(tmp_path):
    """The folder is not made, and the message names it."""
    with pytest.raises(InputError, match=r"the folder .*absent does not exist"):
        write_atomic(tmp_path / "absent" / "star.svg", b"new")
    assert names(tmp_path) == []


def test_a_device_is_refused():
    """Renaming over a device would replace it by a file."""
    with pytest.raises(InputError, match="no plain file"):
        write_atomic("/dev/null", b"new")


def test_a_pipe_is_refused_without_waiting(tmp_path):
    """A named pipe is refused at once: opening it would wait for a reader for ever."""
    os.mkfifo(tmp_path / "pipe.svg")
    with pytest.raises(InputError, match="no plain file"):
        write_atomic(tmp_path / "pipe.svg", b"new")
    assert stat.S_ISFIFO((tmp_path / "pipe.svg").stat().st_mode)


@pytest.mark.parametrize("name", ["a\0b.svg", "x" * 300 + ".svg", "\ud800.svg"], ids=["NUL", "too long", "surrogate"])
def test_impossible_names_are_refused(tmp_path, name):
    """What cannot be a file name is bad input, not a failure of the machine."""
    with pytest.raises(InputError, match="cannot be used as a file name"):
        write_atomic(tmp_path / name, b"new")
    assert names(tmp_path) == []


def test_a_file_taken_for_a_folder_is_refused(tmp_path):
    """A path through a plain file leads nowhere."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError):
        write_atomic(tmp_path / "file" / "star.svg", b"new")


def test_the_longest_possible_name_can_be_written(tmp_path):
    """The temporary file's name does not grow beyond what the system takes, also where letters have several bytes."""
    for name in ("x" * 251 + ".svg", "ü" * 125 + ".svg"):
        write_atomic(tmp_path / name, b"new")
        assert names(tmp_path) == [name]
        (tmp_path / name).unlink()


@pytest.mark.skipif(as_root, reason="root may write everywhere")
def test_a_protected_folder_is_refused_early(tmp_path):
    """No work is done for a file that cannot be put there."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(InputError, match="may not be written to"):
            check_writable(tmp_path / "star.svg")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(as_root, reason="root may write everything")
def test_a_protected_file_is_left_alone(tmp_path):
    """Renaming could replace a write-protected file, but its owner does not want that."""
    target = tmp_path / "star.svg"
    target.write_bytes(b"old")
    target.chmod(0o444)
    with pytest.raises(InputError, match="write-protected"):
        write_atomic(target, b"new")
    assert target.read_bytes() == b"old"


def test_checking_writes_nothing(tmp_path):
    """A path that is fine is fine, and stays as it was."""
    check_writable(tmp_path / "star.svg")
    assert names(tmp_path) == []


FULL_DISK = """
import resource, sys
from sketch_edge.runtime.errors import UnfinishedError
from sketch_edge.runtime.files import write_atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomic(sys.argv[1], b"x" * 100_000)
except UnfinishedError as error:
    print(error, end="")
"""


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_full_disk_leaves_the_old_file(tmp_path, old):
    """When the system refuses the bytes, the old file (or none) is there, no temporary file, and the error says so."""
    target = tmp_path / "star.svg"
    if old is not None:
        target.write_bytes(old)
    done = subprocess.run([sys.executable, "-c", FULL_DISK, target], capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert done.stdout == f"{target}: could not be written (File too large); the old file, if any, is untouched"
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([] if old is None else [old])


def test_an_error_on_the_way_is_cleaned_up(tmp_path, monkeypatch):
    """When the data cannot reach the disk, the old file is intact and no temporary file stays."""

    def broken_disk(descriptor):
        raise OSError(5, "Input/output error")

    target = tmp_path / "star.svg"
    target.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", broken_disk)
    with pytest.raises(UnfinishedError, match="Input/output error"):
        write_atomic(target, b"new")
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["star.svg"]


def test_an_interrupt_is_cleaned_up(tmp_path, monkeypatch):
    """Ctrl-C in the middle of a write leaves no temporary file."""

    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "star.svg", b"new")
    assert names(tmp_path) == []


def test_a_reader_sees_only_whole_files(tmp_path):
    """While a file is replaced over and over, whoever reads it gets one of the two contents whole."""
    target = tmp_path / "star.svg"
    contents = (b"a" * 50_000, b"b" * 70_000)
    write_atomic(target, contents[0])
    seen = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(target.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(30):
        write_atomic(target, contents[number % 2])
    done.set()
    reader.join()
    assert seen <= set(contents)


KILLED = """
import os, sys
from sketch_edge.runtime import files
os.fsync = lambda descriptor: os.kill(os.getpid(), 9)
files.write_atomic(sys.argv[1], b"new")
"""


def test_what_a_killed_writer_left_is_swept(tmp_path):
    """kill -9 in the middle leaves the old file and a temporary one, which the next start can find and delete."""
    target = tmp_path / "star [1].svg"
    target.write_bytes(b"old")
    subprocess.run([sys.executable, "-c", KILLED, target], timeout=60)
    assert target.read_bytes() == b"old"
    other = tmp_path / f".star [1].svg.old.0123456789abcdef{TEMPORARY_SUFFIX}"
    other.write_bytes(b"of the file 'star [1].svg.old'")
    assert len(names(tmp_path)) == 3
    assert sweep_temporaries(tmp_path, target.name) == 1
    assert names(tmp_path) == sorted([other.name, target.name])


def test_sweeping_a_clean_folder_does_nothing(tmp_path):
    """Other files are left alone."""
    Path(tmp_path / "star.svg").write_bytes(b"x")
    assert sweep_temporaries(tmp_path, "star.svg") == 0
    assert names(tmp_path) == ["star.svg"]


def test_the_next_process_that_writes_there_sweeps(tmp_path):
    """Whatever it writes: what others left is gone, hidden files of other programs stay."""
    for _ in range(2):
        subprocess.run([sys.executable, "-c", KILLED, tmp_path / "star.svg"], timeout=60)
        assert len(names(tmp_path)) == 1  # the second swept what the first had left, and left its own
    foreign = [".cat.svg.swp", f".notes{TEMPORARY_SUFFIX}", f"cat.svg.0123456789abcdef{TEMPORARY_SUFFIX}"]
    for name in foreign:
        (tmp_path / name).write_bytes(b"")
    write_atomic(tmp_path / "cat.svg", b"new")
    assert names(tmp_path) == sorted(["cat.svg", *foreign])


STOPPED = """
import os, sys, time
from sketch_edge.runtime import files
fsync = os.fsync
def wait(descriptor):
    print("half way", flush=True)
    sys.stdin.read()
    fsync(descriptor)
os.fsync = wait
files.write_atomic(sys.argv[1], b"new")
"""


def test_what_another_process_is_writing_is_not_swept(tmp_path):
    """Two drawings into one folder, or even to one file, do not mind each other."""
    target = tmp_path / "star.svg"
    writer = subprocess.Popen([sys.executable, "-c", STOPPED, target], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"half way\n"
    write_atomic(target, b"mine")
    assert (sweep_temporaries(tmp_path), len(names(tmp_path))) == (0, 2)
    writer.communicate(timeout=60)
    assert writer.returncode == 0
    assert (names(tmp_path), target.read_bytes()) == (["star.svg"], b"new")


def test_sweeping_waits_for_nothing_and_follows_no_link(tmp_path):
    """A pipe, a folder and a link with the name of a temporary file are none of ours."""
    digits = iter("012")
    places = [tmp_path / f".star.svg.{next(digits) * 16}{TEMPORARY_SUFFIX}" for _ in range(3)]
    os.mkfifo(places[0])
    places[1].mkdir()
    places[2].symlink_to(tmp_path / "precious")
    (tmp_path / "precious").write_bytes(b"x")
    assert sweep_temporaries(tmp_path) == 0
    assert len(names(tmp_path)) == 4
