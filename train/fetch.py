"""Download official Quick, Draw! files: resumed after a cut, checked, and moved into place only when whole.

A download grows in ``NAME.part``; ``NAME.part.json`` says which version of which address it is a part of. A later
run asks the server for the rest of that very version (Range with If-Range, RFC 9110 sections 13.1.5 and 14.2) and
starts over where the server has another one.
"""

from __future__ import annotations

import base64
import contextlib
import difflib
import hashlib
import http.client
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from email.message import Message
from pathlib import Path
from typing import Any, BinaryIO, Literal

from sketch_edge.runtime.errors import InputError, SketchError, UnfinishedError
from sketch_edge.runtime.files import check_writable, write_atomic
from sketch_edge.runtime.version import VERSION
from sketch_edge.train.classes import OFFICIAL_CLASSES

BASE_URL = "https://storage.googleapis.com/quickdraw_dataset/full"
"""Google's public folder of the full data, CC BY 4.0."""

KINDS = ("simplified", "raw", "sketchrnn")

TIMEOUT_S = 30.0
"""A connection that says nothing for so long counts as cut."""

ATTEMPTS = 4
"""Tries in a row without a new byte."""

FIRST_PAUSE_S = 1.0
"""Before the second try; doubled for each one after it."""

PIECE = 1 << 16

LARGEST_FILE = 16 << 30
"""Bytes of the file of a class; no official one comes near. An answer without an end stops here."""

_STARTS = {"simplified": b"{", "raw": b"{", "sketchrnn": b"PK"}
"""What a file of each kind starts with: a captive portal answers with a page instead."""

Outcome = Literal["fetched", "resumed", "complete", "kept"]
"""complete: was there already, same size; kept: was there already, the server could not be asked."""

Progress = Callable[[int, int | None], None]
"""Takes the bytes there so far and the size of the whole file, None where the server does not say."""


@dataclass(frozen=True)
class Fetched:
    """One file that is there now."""

    path: Path
    size: int
    outcome: Outcome


@dataclass(frozen=True)
class _Version:
    """Which content a part belongs to."""

    url: str
    etag: str | None
    modified: str | None
    size: int | None

    @property
    def validator(self) -> str | None:
        """What If-Range may hold: a strong ETag, else the date."""
        if self.etag is not None and not self.etag.startswith("W/"):
            return self.etag
        return self.modified


class _Cut(Exception):  # noqa: N818 - no error yet: it is tried again
    """A try failed in a way that another one may mend."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


def check_names(names: list[str], official: bool) -> None:
    """Refuse class names that no file can have, and, with `official`, those that are not among the 345.

    Raises:
        InputError: with the nearest official names.
    """
    for name in names:
        plain = name.isprintable() and name == name.strip() and 0 < len(name) <= 100
        if not plain or name.startswith(".") or any(char in name for char in '/\\:*?"<>|'):
            raise InputError(f"{name}: is no class name (expected a plain name such as 'palm tree'); correct it")
        if official and name not in OFFICIAL_CLASSES:
            near = difflib.get_close_matches(name, OFFICIAL_CLASSES, n=3, cutoff=0.5)
            hint = f"the nearest: {', '.join(near)}" if near else "sketch-data fetch --list shows them"
            raise InputError(f"{name}: is none of the {len(OFFICIAL_CLASSES)} official classes ({hint}); correct it")


def address(name: str, kind: str, base_url: str = BASE_URL) -> str:
    """Address of the file of a class.

    Simplified and raw files lie in folders of that name under `base_url`. The folder ``sketchrnn`` lies beside
    `base_url` where that ends in "/full", as in Google's bucket, else under it too.

    Raises:
        InputError: `base_url` is no http(s) address.
    """
    base = base_url.rstrip("/")
    parts = _split_url(base)
    if parts is None or parts.query or parts.fragment:
        raise InputError(f"base-url: is {base_url!r} (expected http:// or https:// and a folder); correct it")
    if kind == "sketchrnn":
        return f"{base.removesuffix('/full')}/sketchrnn/{urllib.parse.quote(name)}.npz"
    return f"{base}/{kind}/{urllib.parse.quote(name)}.ndjson"


def file_name(name: str, kind: str) -> str:
    """Name that the file of a class gets here: the kinds can lie in one folder."""
    return {"simplified": f"{name}.ndjson", "raw": f"{name}.raw.ndjson", "sketchrnn": f"{name}.npz"}[kind]


def fetch_class(
    name: str, kind: str, folder: Path, base_url: str = BASE_URL, progress: Progress | None = None
) -> Fetched:
    """Download the file of a class into `folder`, which exists; see `fetch`.

    Raises:
        InputError: no such class, kind, folder or address.
        UnfinishedError: link, server or disk failed; run again to resume.
    """
    if kind not in KINDS:
        raise InputError(f"kind: is {kind!r} (expected one of {', '.join(KINDS)}); correct it")
    check_names([name], official=base_url.rstrip("/") == BASE_URL)
    url = address(name, kind, base_url)
    try:
        return fetch(url, folder / file_name(name, kind), _STARTS[kind], progress, most=LARGEST_FILE)
    except _MissingError as error:
        raise InputError(
            f"{name}: has no {kind} file at {url} ({error.answer}); check the name and --base-url"
        ) from error


class _MissingError(InputError):
    """The server says that there is no such file."""

    def __init__(self, url: str, answer: str) -> None:
        super().__init__(f"{url}: is not there ({answer}); check the address")
        self.answer = answer


def fetch(
    url: str,
    path: Path,
    start: bytes = b"",
    progress: Progress | None = None,
    pause_s: float = FIRST_PAUSE_S,
    timeout_s: float = TIMEOUT_S,
    most: int | None = None,
) -> Fetched:
    """Download `url` to `path`: resumed, length and MD5 (where the server gives them) checked, renamed when whole.

    Args:
        url: http or https.
        path: the file; one that is there already and as long as the server's is left as it is.
        start: what the content has to start with.
        progress: told about the bytes so far.
        pause_s: before the second of up to `ATTEMPTS` tries; doubles each time.
        timeout_s: silence after which a connection counts as cut.
        most: bytes that the file may have; no bound where not given.

    Raises:
        InputError: the server says that there is no such file, it is larger than `most`, or `path` or `url` cannot be
            used.
        UnfinishedError: link, server or disk failed; the part is kept, a later call resumes it.
    """
    check_writable(path)
    if _split_url(url) is None:
        raise InputError(f"{url}: is no address (expected http:// or https://); correct it")
    job = _Job(url, path, start, progress or (lambda _, __: None), timeout_s, most)
    outcome = job.compare()
    if outcome is not None:
        return Fetched(path, path.stat().st_size, outcome)
    try:
        with _only_one(job.part):
            resumed = job.run(pause_s)
            return Fetched(path, path.stat().st_size, "resumed" if resumed else "fetched")
    except OSError as error:
        raise UnfinishedError(f"{path}: cannot be written ({error.strerror or error}); run again to resume") from error


class _Job:
    """One download."""

    def __init__(
        self, url: str, path: Path, start: bytes, progress: Progress, timeout_s: float, most: int | None = None
    ) -> None:
        self.url, self.path = url, path
        self.part = path.with_name(f"{path.name}.part")
        self.note = path.with_name(f"{path.name}.part.json")
        self._start, self._progress, self._timeout_s, self._most = start, progress, timeout_s, most

    def compare(self) -> Outcome | None:
        """Say whether the file is there already: "complete", "kept" where nobody can be asked, None if not."""
        if not self.path.is_file():
            return None
        try:
            with _open(urllib.request.Request(self.url, method="HEAD"), self._timeout_s) as response:  # noqa: S310
                size, md5 = _length(response.headers), _md5(response.headers)
        except (_Cut, SketchError):
            return "kept"
        if size is not None and size != self.path.stat().st_size:
            return None
        if md5 is not None and md5 != _file_md5(self.path):
            return None
        return "kept" if size is None else "complete"

    def run(self, pause_s: float) -> bool:
        """Try until the file is whole; whether a part from an earlier run was used."""
        resumed, furthest, failures = self._size() > 0, self._size(), 0
        while True:
            try:
                from_part = self._attempt()
                return resumed and from_part
            except _Cut as cut:
                if cut.code == 416:  # the part is longer than the file: it belongs to another one
                    self._forget()
                grown = self._size() > furthest
                failures = 1 if grown else failures + 1
                furthest = max(furthest, self._size())
                if failures >= ATTEMPTS:
                    raise UnfinishedError(
                        f"{self.url}: {cut} ({furthest} bytes are there, {ATTEMPTS} tries brought no more); "
                        "check the link and run again: it resumes"
                    ) from cut
                time.sleep(pause_s * 2 ** (failures - 1))

    def _attempt(self) -> bool:
        """Ask for what is missing, check the whole, move it into place; whether the part was continued."""
        version, size = self._read_note(), self._shorten_whole_part()
        request = urllib.request.Request(self.url, headers={"Accept-Encoding": "identity"})  # noqa: S310
        validator = version.validator if version is not None else None
        if size and validator:
            request.add_header("Range", f"bytes={size}-")
            request.add_header("If-Range", validator)
        with _open(request, self._timeout_s) as response:
            continued, now = self._agree(response, version, size)
            if not continued:
                write_atomic(self.note, json.dumps(asdict(now)).encode())
            with self.part.open("ab" if continued else "wb") as file:
                self._copy(response, file, size if continued else 0, now.size)
            md5 = _md5(response.headers)
        self._check(now.size, md5)
        self.part.replace(self.path)
        self.note.unlink(missing_ok=True)
        return continued

    def _agree(self, response: Any, old: _Version | None, size: int) -> tuple[bool, _Version]:
        """Find out whether the answer continues the part, and which version it is."""
        headers = response.headers
        if headers.get("Content-Encoding", "identity") != "identity":
            raise UnfinishedError(f"{self.url}: comes packed as {headers['Content-Encoding']}; use another --base-url")
        whole = _length(headers)
        if response.status == 206:
            match = re.fullmatch(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15}|\*)", headers.get("Content-Range", "").strip())
            if match is None or int(match[1]) != size or old is None:
                self._forget()
                raise _Cut("the server sent another piece than it was asked for")
            whole = int(match[3]) if match[3] != "*" else int(match[2]) + 1
        now = _Version(self.url, headers.get("ETag"), headers.get("Last-Modified"), whole)
        if response.status == 206 and old is not None and (old.etag != now.etag or old.size not in (None, now.size)):
            self._forget()
            raise _Cut("the file changed while it was fetched")
        return response.status == 206, now

    def _copy(self, response: Any, file: BinaryIO, done: int, whole: int | None) -> None:
        """Append the answer to the part."""
        self._progress(done, whole)
        self._check_most(file, whole or done)
        buffer = bytearray(PIECE)
        while True:
            try:
                # read() takes a chunk that says it has -1 bytes for all that will ever come
                piece = bytes(memoryview(buffer)[: response.readinto(buffer)])
            except (OSError, http.client.HTTPException) as error:
                file.flush()
                raise _Cut(f"the connection broke ({error or type(error).__name__})") from error
            if done == 0 and self._start and not piece.startswith(self._start) and (piece or not whole):
                file.close()
                self._forget()
                raise UnfinishedError(
                    f"{self.url}: answers with something else than the file (it starts with {piece[:12]!r}, expected "
                    f"{self._start!r}); check the link for a log-in page"
                )
            if not piece:
                return
            self._check_most(file, done + len(piece))
            file.write(piece)
            done += len(piece)
            self._progress(done, whole)

    def _check_most(self, file: BinaryIO, size: int) -> None:
        """Refuse a file that is, or says that it will be, larger than was asked for."""
        if self._most is not None and size > self._most:
            file.close()
            self._forget()
            raise InputError(f"{self.url}: has over {self._most} bytes, too many for such a file; check the address")

    def _check(self, whole: int | None, md5: str | None) -> None:
        """Compare length and hash with what the server said."""
        size = self._size()
        if whole is not None and size < whole:
            raise _Cut(f"the connection was cut after {size} of {whole} bytes")
        if (whole is not None and size > whole) or (md5 is not None and md5 != _file_md5(self.part)):
            self._forget()
            raise _Cut("the content is not what the server announced")

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _shorten_whole_part(self) -> int:
        """Cut a byte off a part that is whole, so that there is something to ask for; its size then.

        That is a run killed between the last byte and the renaming. What comes back says whether the file is still
        the same.
        """
        version, size = self._read_note(), self._size()
        if size and version is not None and version.size == size:
            size -= 1
            with self.part.open("r+b") as file:
                file.truncate(size)
        return size

    def _forget(self) -> None:
        """Drop the part: it cannot be continued."""
        with self.part.open("wb"):
            pass
        self.note.unlink(missing_ok=True)

    def _read_note(self) -> _Version | None:
        """Which version the part belongs to; None where that is not known or is another address."""
        try:
            version = _Version(**json.loads(self.note.read_bytes()))
        except (OSError, ValueError, TypeError, RecursionError):
            return None
        texts = all(isinstance(text, str | None) for text in (version.etag, version.modified))
        plain = texts and isinstance(version.size, int | None)
        printable = plain and all(text is None or text.isprintable() for text in (version.etag, version.modified))
        return version if printable and version.url == self.url else None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to http and https only, and never from https down to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: Any,
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        parts = _split_url(newurl)
        if parts is None or (parts.scheme == "http" and req.full_url.startswith("https:")):
            raise UnfinishedError(f"{req.full_url}: leads to {newurl[:200]} (expected https); use another --base-url")
        fp.close()  # else urllib reads what comes with the answer, to an end that there may not be
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """Build an opener that knows http and https and nothing else (urllib's own also opens files and ftp)."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirects(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", f"sketch-edge/{VERSION}")]
    return opener


@contextlib.contextmanager
def _open(request: urllib.request.Request, timeout_s: float) -> Iterator[Any]:
    """Send a request; a good answer, or the error that its failure deserves."""
    url = request.full_url
    try:
        response = _opener().open(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (403, 404, 410):
            raise _MissingError(url, f"the server answers {error.code} {error.reason}") from error
        if 300 <= error.code < 400:  # to another scheme, or in a circle
            where = str(error.headers.get("Location"))[:200]
            raise UnfinishedError(f"{url}: leads to {where} (expected the file); use another --base-url") from error
        if error.code in (408, 416, 425, 429) or error.code >= 500:
            raise _Cut(f"the server answers {error.code} {error.reason}", error.code) from error
        raise UnfinishedError(f"{url}: the server answers {error.code} {error.reason}; try later") from error
    except urllib.error.URLError as error:
        raise _Cut(f"cannot be reached ({error.reason})") from error
    except (OSError, http.client.HTTPException) as error:
        raise _Cut(f"cannot be reached ({error or type(error).__name__})") from error
    except ValueError as error:  # what urllib makes of an address that is none
        raise UnfinishedError(f"{url}: leads to no address ({error}); use another --base-url") from error
    with contextlib.closing(response):
        yield response


@contextlib.contextmanager
def _only_one(part: Path) -> Iterator[None]:
    """Hold a lock on the part, where the system has such locks: two writers would mix their bytes."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with part.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnfinishedError(f"{part}: another process is fetching this file; wait for it") from error
        try:
            yield
        finally:
            if part.is_file() and part.stat().st_size == 0:  # nothing to resume from
                part.unlink()
                part.with_name(f"{part.name}.json").unlink(missing_ok=True)


def _split_url(url: str) -> urllib.parse.SplitResult | None:
    """Take an http(s) address apart; None for anything else."""
    try:
        parts = urllib.parse.urlsplit(url)
        labels = (parts.hostname or "").removesuffix(".").split(".")
        named = parts.scheme in ("http", "https") and all(0 < len(label) < 64 for label in labels)
        named = named and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    return parts if named and url.isascii() and url.isprintable() and " " not in url else None


def _length(headers: Message) -> int | None:
    value = headers.get("Content-Length", "")
    return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None


def _md5(headers: Message) -> str | None:
    """Find the MD5 that Google's storage states, in base64: ``x-goog-hash: crc32c=..., md5=...``."""
    for line in headers.get_all("x-goog-hash") or []:
        for entry in line.split(","):
            if entry.strip().startswith("md5="):
                return str(entry.strip().removeprefix("md5="))
    return None


def _file_md5(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    return base64.b64encode(digest.digest()).decode("ascii")
