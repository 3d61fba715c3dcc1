"""The bundle, ``NAME.sketch.zip``: everything that drawing needs, in one file. This module is its only definition.

docs/FORMAT.md explains every key (`runtime/manifest.py`), every tensor and the bytes. The container is a plain zip
file that any zip tool opens, but each of its bytes is prescribed: members stored one after the other in the order of
MEMBER_ORDER, a fixed date, no extra fields, no comments, nothing before, between or behind. So equal content makes
equal files, and a reader can refuse whatever is not exactly that. Nothing is handed on before its size and sha256
were compared with the manifest.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sketch_edge.runtime.errors import BundleError
from sketch_edge.runtime.files import write_atomic
from sketch_edge.runtime.manifest import (
    ENCODER,
    EXPORT_AGAIN,
    MANIFEST,
    MEMBER_ORDER,
    REQUIRED_MEMBERS,
    Credit,
    Defaults,
    Imported,
    Manifest,
    Member,
    Origin,
    Parity,
    Sizes,
    short,
)

__all__ = [
    "MANIFEST",
    "MEMBER_ORDER",
    "SUFFIX",
    "Bundle",
    "Credit",
    "Defaults",
    "Imported",
    "Manifest",
    "Member",
    "Origin",
    "Parity",
    "Sizes",
    "open_bundle",
    "pack_bundle",
    "read_bundle",
    "read_manifest",
    "write_bundle",
]

SUFFIX = ".sketch.zip"
SHIPPED = "quickdraw.sketch.zip"
"""The bundle that comes with the package."""

MAX_BYTES = 128 << 20
"""No bundle may be larger: reading one takes twice its size in memory."""
MAX_MANIFEST_BYTES = 1 << 20


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and checked."""

    path: Path
    manifest: Manifest
    members: Mapping[str, bytes]
    """Content of every member but the manifest."""

    sha256: str
    """Of the whole file."""


def read_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Read a bundle and check every byte of it against its manifest.

    Raises:
        BundleError: cannot be read, is no bundle, is cut short, damaged or changed, or its manifest is not as it
            has to be.
    """
    path = Path(path)
    content = _read_file(path)
    _refuse_foreign(path, content)
    return _parse(path, content)


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Read the manifest of a bundle alone, which stands at its beginning; nothing is said about the rest.

    Raises:
        BundleError: as `read_bundle`, as far as the beginning of the file tells.
    """
    path = Path(path)
    head = _read_file(path, MAX_MANIFEST_BYTES + 4096)
    _refuse_foreign(path, head)
    if not head.startswith(_LOCAL_MARK):
        raise BundleError(f"{path}: is damaged, or no bundle; {EXPORT_AGAIN}")
    name, start, size = _read_local_header(path, head, 0)
    raw = head[start : start + size]
    if name != MANIFEST or size > MAX_MANIFEST_BYTES:
        raise BundleError(
            f"{path}: does not begin with a {MANIFEST} of at most {MAX_MANIFEST_BYTES} bytes; {EXPORT_AGAIN}"
        )
    if len(raw) < size or head[:start] != _Entry.of(name, raw).local_header:
        raise BundleError(f"{path}:{MANIFEST}: is cut short or damaged; copy the file again")
    return _parse_manifest(path, raw)


def open_bundle(path: str | os.PathLike[str] | None = None) -> Bundle:
    """Read and check a bundle, or the one that comes with the package where no path is given.

    Raises:
        BundleError: as `read_bundle`.
    """
    if path is not None:
        return read_bundle(path)
    from sketch_edge import models

    # Not importlib.resources: with all that it imports it takes as long as reading the bundle.
    shipped = Path(*models.__path__[:1], SHIPPED)
    if not shipped.is_file():
        raise BundleError(
            f"{SHIPPED}: did not come with this installation; name a bundle, or install sketch-edge again"
        )
    return read_bundle(shipped)


def write_bundle(path: str | os.PathLike[str], manifest: Manifest, members: Mapping[str, bytes]) -> None:
    """Write a bundle atomically; equal arguments make equal files.

    Args:
        path: usually ends in ".sketch.zip".
        manifest: its `members` are filled in here.
        members: content by name: start.onnx, step.onnx, where there is a latent vector encode.onnx, and perhaps
            draw.onnx.

    Raises:
        BundleError: a value of the manifest or the set of members is not allowed.
        InputError, UnfinishedError: as `write_atomic`.
    """
    write_atomic(path, pack_bundle(manifest, members, where=str(path)))


def pack_bundle(manifest: Manifest, members: Mapping[str, bytes], where: str = "bundle") -> bytes:
    """Make the bytes of a bundle, and read them back as a check; see `write_bundle`."""
    listed = {name: Member(hashlib.sha256(content).hexdigest(), len(content)) for name, content in members.items()}
    try:
        text = replace(manifest, members=listed).to_json()
    except (TypeError, ValueError) as error:
        raise BundleError(f"{where}:{MANIFEST}: holds a value that JSON cannot ({error})") from error
    content = _pack({MANIFEST: text.encode("utf-8"), **members})
    _parse(Path(where), content)
    return content


_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_LOCAL_MARK, _CENTRAL_MARK, _END_MARK = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_ZIP_VERSION = 20
_MADE_ON_UNIX = 3 << 8 | _ZIP_VERSION
_STORED = 0
_TIME, _DATE = 0, 1 << 5 | 1  # 00:00:00 on 1980-01-01, the first moment that a zip file can tell
_PLAIN_FILE = 0o100644 << 16


@dataclass(frozen=True)
class _Entry:
    """A member as the container's two headers tell of it."""

    name: bytes
    crc: int
    size: int

    @classmethod
    def of(cls, name: str, content: bytes) -> _Entry:
        return cls(name.encode("utf-8"), zlib.crc32(content), len(content))

    @property
    def shared(self) -> tuple[int, ...]:
        """The fields that both headers have."""
        return _ZIP_VERSION, 0, _STORED, _TIME, _DATE, self.crc, self.size, self.size, len(self.name), 0

    @property
    def local_header(self) -> bytes:
        return _LOCAL.pack(_LOCAL_MARK, *self.shared) + self.name

    def directory_header(self, offset: int) -> bytes:
        return _CENTRAL.pack(_CENTRAL_MARK, _MADE_ON_UNIX, *self.shared, 0, 0, 0, _PLAIN_FILE, offset) + self.name


def _pack(members: Mapping[str, bytes]) -> bytes:
    """Put members into the container, in the prescribed order (unknown names last; a reader will refuse them)."""
    names = sorted(members, key=lambda name: (MEMBER_ORDER.index(name) if name in MEMBER_ORDER else 99, name))
    entries = [_Entry.of(name, members[name]) for name in names]
    pieces = [
        piece for name, entry in zip(names, entries, strict=True) for piece in (entry.local_header, members[name])
    ]
    return b"".join([*pieces, _directory(entries)])


def _directory(entries: Sequence[_Entry]) -> bytes:
    """Make the central directory and the end record for members in the order of the file."""
    directory, offset = b"", 0
    for entry in entries:
        directory += entry.directory_header(offset)
        offset += _LOCAL.size + len(entry.name) + entry.size
    return directory + _END.pack(_END_MARK, 0, 0, len(entries), len(entries), len(directory), offset, 0)


def _unpack(path: Path, content: bytes) -> dict[str, bytes]:
    """Take the members out of the container; refuses every byte that `_pack` would not have written."""
    members: dict[str, bytes] = {}
    entries: list[_Entry] = []
    position = 0
    while content.startswith(_LOCAL_MARK, position):
        name, start, size = _read_local_header(path, content, position)
        if name in members or name not in MEMBER_ORDER:
            problem = "stands in it twice" if name in members else "is no member of a bundle"
            raise BundleError(f"{path}:{name}: {problem}; {EXPORT_AGAIN}")
        member = content[start : start + size]
        if len(member) < size:
            raise BundleError(f"{path}:{name}: is cut short ({len(member)} of {size} bytes); copy the file again")
        entry = _Entry.of(name, member)
        if content[position:start] != entry.local_header:
            raise BundleError(f"{path}:{name}: is damaged (its checksum or header is wrong); copy the file again")
        members[name] = member
        entries.append(entry)
        position = start + size
    directory = _directory(entries)
    if content[position:] != directory:
        problem = "is cut short" if len(content) < position + len(directory) else "is damaged or was repacked"
        raise BundleError(f"{path}: {problem} (its directory is not as expected); copy or export it again")
    if list(members) != [name for name in MEMBER_ORDER if name in members]:
        raise BundleError(f"{path}: its members stand in another order; {EXPORT_AGAIN}")
    return members


def _read_local_header(path: Path, content: bytes, position: int) -> tuple[str, int, int]:
    """Read a member's header: its name, where its content starts and how long that is."""
    if len(content) < position + _LOCAL.size:
        raise BundleError(f"{path}: is cut short ({len(content)} bytes); copy the file again")
    _, _, _, method, _, _, _, _, size, name_length, extra = _LOCAL.unpack_from(content, position)
    start = position + _LOCAL.size + name_length
    if len(content) < start:
        raise BundleError(f"{path}: is cut short ({len(content)} bytes); copy the file again")
    name = content[position + _LOCAL.size : start].decode("utf-8", "replace")
    shown = name if name in MEMBER_ORDER else short(name)
    if method != _STORED:
        raise BundleError(f"{path}:{shown}: is compressed or damaged (method {method}, expected 0); {EXPORT_AGAIN}")
    if extra:
        raise BundleError(f"{path}:{shown}: has extra zip fields, so another tool packed it; {EXPORT_AGAIN}")
    return name if name in MEMBER_ORDER else shown, start, size


def _parse(path: Path, content: bytes) -> Bundle:
    """Check the whole content of a bundle and take it apart."""
    members = _unpack(path, content)
    if MANIFEST not in members:
        raise BundleError(f"{path}: has no {MANIFEST}; {EXPORT_AGAIN}")
    raw = members.pop(MANIFEST)
    if len(raw) > MAX_MANIFEST_BYTES:
        raise BundleError(f"{path}:{MANIFEST}: has {len(raw)} bytes (at most {MAX_MANIFEST_BYTES}); {EXPORT_AGAIN}")
    manifest = _parse_manifest(path, raw)
    _check_members(path, manifest, members)
    return Bundle(path, manifest, members, hashlib.sha256(content).hexdigest())


def _parse_manifest(path: Path, raw: bytes) -> Manifest:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}:{MANIFEST}: is no UTF-8 text ({error.reason}); {EXPORT_AGAIN}") from error
    return Manifest.from_json(text, f"{path}:{MANIFEST}")


def _check_members(path: Path, manifest: Manifest, members: Mapping[str, bytes]) -> None:
    """Compare what is there with what the manifest lists: names, sizes, sha256."""
    encoder = (ENCODER,) if manifest.sizes.latent else ()
    for name in (*REQUIRED_MEMBERS, *encoder, *manifest.members):
        if name not in members:
            raise BundleError(f"{path}:{name}: is missing; {EXPORT_AGAIN}")
    if ENCODER in members and not encoder:
        raise BundleError(f"{path}:{ENCODER}: is there (expected none, as sizes.latent is 0); {EXPORT_AGAIN}")
    for name, content in members.items():
        listed = manifest.members.get(name)
        if listed is None:
            raise BundleError(f"{path}:{MANIFEST}:members.{name}: is missing (the file holds it); {EXPORT_AGAIN}")
        if len(content) != listed.size:
            raise BundleError(
                f"{path}:{name}: has {len(content)} bytes (the manifest says {listed.size}); {EXPORT_AGAIN}"
            )
        digest = hashlib.sha256(content).hexdigest()
        if digest != listed.sha256:
            raise BundleError(
                f"{path}:{name}: is not the content that was exported (sha256 {digest[:12]}..., the manifest says "
                f"{listed.sha256[:12]}...); copy or export it again"
            )


def _read_file(path: Path, first: int | None = None) -> bytes:
    """The content of a file of at most MAX_BYTES; or only its first so many bytes."""
    try:
        if path.is_dir():
            raise BundleError(f"{path}: is a folder (expected a {SUFFIX} file); name a file in it")
        if path.exists() and not path.is_file():
            raise BundleError(f"{path}: is no plain file (expected a {SUFFIX} file)")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1 if first is None else first)
    except BundleError:
        raise
    except FileNotFoundError as error:
        raise BundleError(f"{path}: no such file; check the name, or make one with sketch-export") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise BundleError(f"{path}: cannot be read ({reason})") from error
    if len(content) > MAX_BYTES:
        raise BundleError(f"{path}: is larger than any bundle (over {MAX_BYTES >> 20} MiB); check the name")
    return content


def _refuse_foreign(path: Path, content: bytes) -> None:
    """Say what a file is that is no bundle, where a look at its first bytes tells."""
    start = content[:512].lstrip().lower()
    if not content:
        raise BundleError(f"{path}: is empty; copy or download it again")
    if start.startswith(b"version https://git-lfs"):
        raise BundleError(f"{path}: is a Git LFS pointer, not the file itself; run git lfs pull")
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<svg")):
        raise BundleError(f"{path}: is a web page or a picture, not a bundle; download the file itself (its raw form)")
    is_zip = content.startswith(b"PK")
    if (is_zip and b"data.pkl" in content[:4096]) or content.startswith(b"\x80\x02"):
        raise BundleError(f"{path}: is a checkpoint, not a bundle; make one of it with sketch-export {path}")
    if is_zip and b".npy" in content[:512]:
        raise BundleError(f"{path}: is a data set, not a bundle; train a model on it, then run sketch-export")
    if not is_zip:
        raise BundleError(
            f"{path}: is no bundle (starts with {content[:8]!r}, expected b'PK\\x03\\x04'); "
            "give a file that sketch-export wrote"
        )
