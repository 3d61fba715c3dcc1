"""The checkpoint before the newest: kept in the log folder, for the day that the newest is damaged.

`write_atomic` leaves no half-written file, but disks and copies do damage whole ones. One older state costs no time (it
is the old file itself, under another name), and saves a night's training.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from sketch_edge.runtime.errors import CheckpointError
from sketch_edge.runtime.files import sweep_temporaries
from sketch_edge.train.checkpoint import Checkpoint, DamagedError, load_checkpoint


def log_of(out: Path) -> Path:
    """The log folder of a training whose checkpoint is `out`: model.log/ for model.pt."""
    return out.with_suffix(".log")


def previous_of(out: Path) -> Path:
    """Where the checkpoint before `out` is kept."""
    return log_of(out) / "previous.pt"


def keep_previous(out: Path) -> None:
    """Keep `out`, which is about to be replaced by the next checkpoint of one training.

    Only beside a log folder, and only as well as the file system can: a training does not fail of it.
    """
    _give_second_name(out, previous_of(out))


def forget_previous(out: Path) -> None:
    """Delete what an older training of that name left, before the first checkpoint of a new one."""
    with contextlib.suppress(OSError):
        previous_of(out).unlink()


def sweep(out: Path) -> None:
    """Delete temporary files that killed trainings of `out` left behind, beside it and in its log folder."""
    sweep_temporaries(out.parent, out.name)
    sweep_temporaries(log_of(out), previous_of(out).name)


def load_newest(out: Path) -> tuple[Checkpoint, str]:
    """Read a checkpoint to go on from, or where that is damaged the one before.

    Returns:
        The checkpoint, and what was wrong with the newest; empty where nothing was.

    Raises:
        CheckpointError: as `load_checkpoint`, of the newest where the one before is no better.
    """
    try:
        return load_checkpoint(out), ""
    except DamagedError as error:
        try:
            return load_checkpoint(previous_of(out)), str(error)
        except CheckpointError:
            raise error from None


def restore_previous(out: Path) -> None:
    """Put the checkpoint before into the place of the damaged `out`, which is kept as damaged.pt in the log folder."""
    _give_second_name(out, log_of(out) / "damaged.pt")
    _give_second_name(previous_of(out), out)


def _give_second_name(path: Path, name: Path) -> None:
    """Let `name` be the file `path` as well: at every moment it is the old file or the new one."""
    temporary = name.with_name(f".{name.name}.{os.urandom(8).hex()}.sketch-tmp")
    with contextlib.suppress(OSError):  # no log folder, no old file, or a file system without hard links
        os.link(os.path.realpath(path), temporary)
        try:
            temporary.replace(name)
        finally:
            temporary.unlink(missing_ok=True)  # where both are one file already, renaming does nothing
