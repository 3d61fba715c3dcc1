"""Downloads against a real server on this machine, one that cuts, lies, changes and is not there."""

import base64
import contextlib
import hashlib
import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sketch_edge.runtime.errors import InputError, UnfinishedError
from sketch_edge.train import fetch as fetch_module
from sketch_edge.train.classes import OFFICIAL_CLASSES
from sketch_edge.train.fetch import ATTEMPTS, BASE_URL, address, check_names, fetch, fetch_class, file_name

BODY = b"{" + bytes(range(256)) * 1200 + b"}"
"""300 kB: several pieces."""


@dataclass
class Served:
    """What the server has and how it behaves."""

    body: bytes = BODY
    etag: str | None = '"one"'
    modified: str | None = "Tue, 01 Jan 2030 00:00:00 GMT"
    cut_after: list[int] = field(default_factory=list)
    """Bytes of an answer after which the connection breaks, for the first answers."""
    extra: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    """A false Content-Length."""
    no_length: bool = False
    ranges: bool = True
    wrong_range: bool = False
    status: dict[str, list[int]] = field(default_factory=dict)
    """Error codes that the next answers to a method carry."""
    location: str | None = None
    seen: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)
    """(method, path, Range, If-Range) of each request."""
    url: str = ""


def answer(handler: http.server.BaseHTTPRequestHandler, served: Served) -> None:
    """Answer a GET or HEAD as `served` says."""
    asked, condition = handler.headers["Range"], handler.headers["If-Range"]
    served.seen.append((handler.command, handler.path, asked, condition))
    codes = served.status.get(handler.command, [])
    if codes:
        handler.send_error(codes.pop(0))
        return
    if served.location is not None and handler.path != "/moved":
        handler.send_response(302)
        handler.send_header("Location", served.location)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    start = 0
    valid = condition in (served.etag, served.modified) or condition is None
    if asked and served.ranges and valid:
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(served.body):
            handler.send_error(416)
            return
    part = served.body[start:]
    partial = bool(asked and served.ranges and valid)
    handler.send_response(206 if partial else 200)
    if partial:
        first = start + 1 if served.wrong_range else start
        handler.send_header("Content-Range", f"bytes {first}-{len(served.body) - 1}/{len(served.body)}")
    if not served.no_length:
        handler.send_header("Content-Length", str(len(part) if served.length is None else served.length))
    for name, value in (("ETag", served.etag), ("Last-Modified", served.modified), *served.extra.items()):
        if value is not None:
            handler.send_header(name, value)
    handler.end_headers()
    if handler.command == "GET":
        cut = served.cut_after.pop(0) if served.cut_after else len(part)
        handler.wfile.write(part[:cut])
    handler.close_connection = True


@pytest.fixture
def served() -> Iterator[Served]:
    """A server in a thread."""
    state = Served()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, state)

        def do_HEAD(self) -> None:
            answer(self, state)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}/full/simplified/cat.ndjson"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """Ask this machine's server itself."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cat.ndjson"


def go(served: Served, path: Path, **more: object) -> object:
    """Fetch without long pauses."""
    return fetch(served.url, path, b"{", pause_s=0.001, **more).outcome  # type: ignore[arg-type]


def leave_part(path: Path, url: str, content: bytes, etag: str | None = '"one"', size: int | None = len(BODY)) -> None:
    """Leave what a killed run leaves."""
    path.with_name("cat.ndjson.part").write_bytes(content)
    note = {"url": url, "etag": etag, "modified": None, "size": size}
    path.with_name("cat.ndjson.part.json").write_text(json.dumps(note))


def names(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir())


def md5(body: bytes) -> str:
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def test_a_file_is_fetched_whole(served, path):
    """And nothing else is left in the folder."""
    assert go(served, path) == "fetched"
    assert path.read_bytes() == BODY
    assert names(path) == ["cat.ndjson"]


def test_progress_counts_up_to_the_size(served, path):
    """The last call has all bytes."""
    seen: list[tuple[int, int | None]] = []
    go(served, path, progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (0, len(BODY))
    assert seen[-1] == (len(BODY), len(BODY))
    assert seen == sorted(seen)


def test_a_cut_is_resumed_in_the_same_run(served, path):
    """Only what is missing is asked for, for the same version."""
    served.cut_after = [100_000, 50_000]
    assert go(served, path) == "fetched"
    assert path.read_bytes() == BODY
    assert [request[2:] for request in served.seen] == [
        (None, None),
        ("bytes=100000-", '"one"'),
        ("bytes=150000-", '"one"'),
    ]


def test_a_killed_run_is_resumed_by_the_next(served, path):
    """From the part and the note beside it."""
    leave_part(path, served.url, BODY[:123_456])
    assert go(served, path) == "resumed"
    assert path.read_bytes() == BODY
    assert served.seen[0][2] == "bytes=123456-"
    assert names(path) == ["cat.ndjson"]


def test_a_part_that_is_whole_costs_one_byte(served, path):
    """A run that was killed just before the renaming."""
    leave_part(path, served.url, BODY)
    assert go(served, path) == "resumed"
    assert path.read_bytes() == BODY
    assert served.seen[0][2] == f"bytes={len(BODY) - 1}-"


def test_the_date_is_the_condition_where_there_is_no_strong_etag(served, path):
    """A weak ETag may not stand in If-Range."""
    served.etag = 'W/"one"'
    served.cut_after = [100_000]
    assert go(served, path) == "fetched"
    assert served.seen[1][3] == served.modified
    assert path.read_bytes() == BODY


def test_without_a_validator_the_download_starts_over(served, path):
    """Nothing says that the rest would belong to the same file."""
    served.etag = served.modified = None
    served.cut_after = [100_000]
    go(served, path)
    assert served.seen[1][2] is None
    assert path.read_bytes() == BODY


def test_a_server_that_ignores_ranges_starts_over(served, path):
    """It answers 200 with everything."""
    leave_part(path, served.url, b"{old")
    served.ranges = False
    assert go(served, path) == "fetched"
    assert path.read_bytes() == BODY


def test_a_changed_file_starts_over(served, path):
    """The ETag of the part is another one: If-Range makes the server send all."""
    leave_part(path, served.url, b"{" + b"x" * 1000, etag='"zero"')
    assert go(served, path) == "fetched"
    assert served.seen[0][3] == '"zero"'
    assert path.read_bytes() == BODY


def test_a_server_that_resumes_another_version_is_not_believed(served, path):
    """It ignores If-Range but says the new ETag: the part is dropped."""
    leave_part(path, served.url, b"{" + b"x" * 1000, etag=None, size=len(BODY))
    note = json.loads(path.with_name("cat.ndjson.part.json").read_text())
    path.with_name("cat.ndjson.part.json").write_text(json.dumps(note | {"modified": served.modified, "etag": 'W/"0"'}))
    go(served, path)
    assert path.read_bytes() == BODY
    assert [request[2] for request in served.seen] == ["bytes=1001-", None]


@pytest.mark.parametrize("note", ["", "{}", "[]", "[" * 100_000, '{"url": 1}', '{"url": "x", "etag": "a\\r\\nb"}'])
def test_a_damaged_note_starts_over(served, path, note):
    """Whatever stands in it."""
    leave_part(path, served.url, b"{old")
    path.with_name("cat.ndjson.part.json").write_text(note)
    assert go(served, path) == "fetched"
    assert path.read_bytes() == BODY


def test_a_part_of_another_address_starts_over(served, path):
    """The note says which address it belongs to."""
    leave_part(path, "http://example.org/cat.ndjson", b"{old")
    assert go(served, path) == "fetched"
    assert path.read_bytes() == BODY


def test_a_part_longer_than_the_file_starts_over(served, path):
    """The server answers 416."""
    leave_part(path, served.url, BODY + b"more", size=None)
    assert go(served, path) == "resumed" or path.read_bytes() == BODY
    assert path.read_bytes() == BODY


def test_a_piece_from_the_wrong_place_is_not_appended(served, path):
    """Content-Range has to continue the part."""
    leave_part(path, served.url, BODY[:1000])
    served.wrong_range = True
    go(served, path)
    assert path.read_bytes() == BODY


def test_a_length_that_is_never_reached_ends_with_an_error(served, path):
    """After a few tries; the part stays for the next run."""
    served.length = len(BODY) + 10
    served.ranges = False
    with pytest.raises(UnfinishedError, match=r"cut after 307202 of 307212 bytes .* run again: it resumes"):
        go(served, path)
    assert len(served.seen) == ATTEMPTS
    assert names(path) == ["cat.ndjson.part", "cat.ndjson.part.json"]


def test_a_cut_without_progress_ends_with_an_error(served, path):
    """A link that breaks at once, again and again."""
    served.cut_after = [0] * 20
    with pytest.raises(UnfinishedError, match="check the link and run again"):
        go(served, path)
    assert names(path) == []


def test_a_slow_link_that_always_brings_something_ends_well(served, path):
    """More cuts than tries, each a little further."""
    served.cut_after = [40_000] * 7
    go(served, path)
    assert path.read_bytes() == BODY
    assert len(served.seen) == 8


def test_a_wrong_md5_is_not_kept(served, path):
    """Google's storage states it; what does not match is dropped."""
    served.extra = {"x-goog-hash": f"crc32c=AAAAAA==,md5={md5(b'other')}"}
    with pytest.raises(UnfinishedError, match="not what the server announced"):
        go(served, path)
    assert names(path) == []


def test_a_right_md5_is_accepted_after_a_resume(served, path):
    """It is that of the whole file."""
    served.extra = {"x-goog-hash": f"md5={md5(BODY)}"}
    served.cut_after = [100_000]
    go(served, path)
    assert path.read_bytes() == BODY


def test_a_resumed_part_with_other_bytes_is_found_by_its_md5(served, path):
    """And fetched anew."""
    leave_part(path, served.url, b"{" + b"x" * 1000)
    served.extra = {"x-goog-hash": f"md5={md5(BODY)}"}
    go(served, path)
    assert path.read_bytes() == BODY


def test_a_file_without_a_stated_length_is_fetched(served, path):
    """The end of the connection is its end."""
    served.no_length = True
    go(served, path)
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("code", [403, 404, 410])
def test_a_missing_file_names_the_class_and_the_address(served, path, code):
    """At once, without tries, and nothing is left."""
    served.status = {"GET": [code] * 9}
    base = served.url.removesuffix("/simplified/cat.ndjson")
    with pytest.raises(InputError, match=rf"cat: has no raw file at {base}/raw/cat.ndjson .*{code}.*; check the name"):
        fetch_class("cat", "raw", path.parent, base)
    assert len(served.seen) == 1
    assert names(path) == []


@pytest.mark.parametrize("code", [500, 503, 429])
def test_a_server_in_trouble_is_asked_again(served, path, code):
    """It may get better."""
    served.status = {"GET": [code] * (ATTEMPTS - 1)}
    assert go(served, path) == "fetched"


def test_other_refusals_end_at_once(served, path):
    """401 does not get better."""
    served.status = {"GET": [401]}
    with pytest.raises(UnfinishedError, match="the server answers 401"):
        go(served, path)


def test_nobody_there_is_a_clear_error(path):
    """A refused connection."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UnfinishedError, match=r"cannot be reached \(.*refused.*\).*check the link and run again"):
        fetch(f"http://127.0.0.1:{port}/cat.ndjson", path, pause_s=0.001)
    assert names(path) == []


def test_a_server_that_says_nothing_is_given_up(path):
    """After the time allowed for silence."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/cat.ndjson"
        start = time.monotonic()
        with pytest.raises(UnfinishedError, match="timed out"):
            fetch(url, path, pause_s=0.001, timeout_s=0.05)
        assert time.monotonic() - start < 5


def test_what_is_there_already_is_left_alone(served, path):
    """One question about its size."""
    path.write_bytes(BODY)
    assert go(served, path) == "complete"
    assert [request[0] for request in served.seen] == ["HEAD"]


@pytest.mark.parametrize("old", [b"{short", b"[" + BODY[1:]])
def test_what_is_there_but_differs_is_replaced(served, path, old):
    """By size, and where the server states it, by hash."""
    path.write_bytes(old)
    served.extra = {"x-goog-hash": f"md5={md5(BODY)}"}
    assert go(served, path) == "fetched"
    assert path.read_bytes() == BODY


@pytest.mark.parametrize("code", [405, 404, 500])
def test_what_is_there_is_kept_where_the_server_cannot_say(served, path, code):
    """A failed question does not lose a file."""
    path.write_bytes(b"{old")
    served.status = {"HEAD": [code]}
    assert go(served, path) == "kept"
    assert path.read_bytes() == b"{old"


def test_a_failed_download_leaves_the_old_file(served, path):
    """Until the new one is whole."""
    path.write_bytes(b"{old")
    served.status = {"GET": [401]}
    with pytest.raises(UnfinishedError):
        go(served, path)
    assert path.read_bytes() == b"{old"


def test_a_log_in_page_is_not_taken_for_the_file(served, path):
    """A hotel's network answers everything with a page."""
    served.body = b"<html>Welcome"
    with pytest.raises(UnfinishedError, match="check the link for a log-in page"):
        go(served, path)
    assert names(path) == []


def test_a_packed_answer_is_refused(served, path):
    """Its bytes are not those of the file."""
    served.extra = {"Content-Encoding": "gzip"}
    with pytest.raises(UnfinishedError, match="comes packed as gzip"):
        go(served, path)


def test_redirects_to_http_are_followed(served, path):
    """Storage often lies elsewhere."""
    served.location = "/moved"
    assert go(served, path) == "fetched"
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://example.org/x", "data:,x", "http://", "/full/simplified/cat.ndjson"]
)
def test_redirects_to_anything_else_are_refused(served, path, location):
    """No file of this machine is read."""
    served.location = location
    with pytest.raises(UnfinishedError, match="leads to"):
        go(served, path)
    assert names(path) == []


def test_a_second_download_of_the_same_file_is_refused(served, path):
    """Two writers would mix their bytes."""
    fcntl = pytest.importorskip("fcntl")
    with path.with_name("cat.ndjson.part").open("wb") as file:
        file.write(b"{")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(UnfinishedError, match="another process is fetching this file"):
            go(served, path)


def test_a_full_disk_is_a_clear_error_and_keeps_the_part(served, path, monkeypatch):
    """Running again resumes once there is room."""
    real = fetch_module._Job._copy

    def full(self, response, file, done, whole):
        file.write(response.read(1000))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetch_module._Job, "_copy", full)
    with pytest.raises(UnfinishedError, match=r"cannot be written \(No space left on device\); run again to resume"):
        go(served, path)
    monkeypatch.setattr(fetch_module._Job, "_copy", real)
    assert go(served, path) == "resumed"
    assert path.read_bytes() == BODY


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/y", "x", "", "http://", "http://a b/", "http://x:99999/"]
)
def test_only_http_addresses_are_taken(path, url):
    """Nothing else is opened."""
    with pytest.raises(InputError, match="expected http:// or https://"):
        fetch(url, path)
    with pytest.raises(InputError, match="base-url"):
        address("cat", "raw", url)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("cat", "simplified"), f"{BASE_URL}/simplified/cat.ndjson"),
        (("palm tree", "raw"), f"{BASE_URL}/raw/palm%20tree.ndjson"),
        (("palm tree", "sketchrnn"), "https://storage.googleapis.com/quickdraw_dataset/sketchrnn/palm%20tree.npz"),
        (("cat", "sketchrnn", "http://x/full/"), "http://x/sketchrnn/cat.npz"),
        (("cat", "sketchrnn", "http://x/data"), "http://x/data/sketchrnn/cat.npz"),
        (("a?b#c", "raw", "http://x"), "http://x/raw/a%3Fb%23c.ndjson"),
    ],
)
def test_addresses(arguments, expected):
    """Those of the public bucket, and of copies of it."""
    assert address(*arguments) == expected


@pytest.mark.parametrize("silent", [True, False])
def test_more_than_was_asked_for_is_refused(served, path, silent):
    """Where the server says so before, and where it just goes on; nothing is left to resume."""
    served.no_length = silent
    with pytest.raises(InputError, match=f"has over {len(BODY) - 1} bytes"):
        go(served, path, most=len(BODY) - 1)
    assert not list(path.parent.iterdir())
    assert go(served, path, most=len(BODY)) == "fetched"


def test_the_kinds_of_a_class_have_different_names():
    """They can lie in one folder, and up to the first dot stands the class."""
    found = [file_name("palm tree", kind) for kind in ("simplified", "raw", "sketchrnn")]
    assert found == ["palm tree.ndjson", "palm tree.raw.ndjson", "palm tree.npz"]


def test_there_are_345_official_classes():
    """Each once, none with blanks at its ends."""
    assert len(set(OFFICIAL_CLASSES)) == 345
    assert list(OFFICIAL_CLASSES) == sorted(name.strip() for name in OFFICIAL_CLASSES)
    assert {"The Eiffel Tower", "birthday cake", "t-shirt", "zigzag"} <= set(OFFICIAL_CLASSES)


def test_an_unofficial_name_gets_the_nearest():
    """Typing errors are the usual reason."""
    with pytest.raises(InputError, match=r"palmtree: is none of the 345 official classes \(the nearest: palm tree"):
        check_names(["cat", "palmtree"], official=True)
    check_names(["my own class"], official=False)


@pytest.mark.parametrize("name", ["", " cat", "../cat", "a/b", "a\\b", ".cat", "c\nat", "x" * 101, "c:at"])
def test_names_that_could_leave_the_folder_are_refused(name):
    """Also with a base address of one's own."""
    with pytest.raises(InputError, match="is no class name"):
        check_names([name], official=False)


def test_a_kind_that_is_none_is_refused(tmp_path):
    """With those there are."""
    with pytest.raises(InputError, match="expected one of simplified, raw, sketchrnn"):
        fetch_class("cat", "binary", tmp_path)


def hostile(*pieces: bytes, again: bytes = b"") -> str:
    """Start a server that answers everything with these bytes, and then with `again` without end; its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(1 << 16)
                connection.sendall(b"".join(pieces))
                while again:
                    connection.sendall(again)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}/a"


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("pieces", "again", "what"),
    [
        ([OK, b"Content-Length: 0\r\n\r\n"], b"", r"something else than the file \(it starts with b''"),
        ([OK, b"\r\n"], b"", r"something else than the file \(it starts with b''"),
        ([b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n"], b"", "leads to no address"),
        ([b"HTTP/1.1 302 Found\r\nLocation: http://a..b/\r\n\r\n"], b"", r"leads to http://a\.\.b/"),
        ([b"HTTP/1.1 302 Found\r\nLocation: http://" + b"a" * 64 + b"/\r\n\r\n"], b"", "leads to http://aaa"),
        ([b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n"], b"x" * 65_536, "leads to /x"),
        ([OK, b"Transfer-Encoding: chunked\r\n\r\n-5\r\n"], b"", "the connection broke"),
        ([OK, b"Transfer-Encoding: chunked\r\n\r\n-1\r\n"], b"{" * 65_536, "the connection broke"),
        ([b"HTTP/1.1 206 Part\r\nContent-Range: bytes 5-9/", b"9" * 5000, b"\r\n\r\n"], b"", "another piece than"),
    ],
    ids=["empty", "nothing", "no address", "no label", "long label", "endless", "negative", "minus one", "range"],
)
def test_answers_that_break_the_protocol_are_refused(tmp_path, pieces, again, what):
    """Each ends with one error, within a second, and leaves nothing."""
    start = time.monotonic()
    with pytest.raises(UnfinishedError, match=what):
        fetch(hostile(*pieces, again=again), tmp_path / "a", b"{", pause_s=0.01, timeout_s=5)
    assert time.monotonic() - start < 5
    assert list(tmp_path.iterdir()) == []


def test_a_length_of_thousands_of_digits_is_none(tmp_path):
    """Python refuses to read such numbers; the file is as long as what comes."""
    url = hostile(OK, b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}")
    assert fetch(url, tmp_path / "a", b"{").size == 2


def test_an_answer_without_end_stops_at_the_largest_size(tmp_path, monkeypatch):
    """A class has no file that would fill a disk."""
    monkeypatch.setattr(fetch_module, "LARGEST_FILE", 1 << 20)
    url = hostile(OK, b"\r\n", again=b"{" * 65_536)
    with pytest.raises(InputError, match="has over 1048576 bytes"):
        fetch_class("star", "simplified", tmp_path, url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["a..b", ".a", "a" * 64])
def test_a_host_that_has_no_name_is_refused(host):
    """Before Python's own reader of names sees it."""
    with pytest.raises(InputError, match="base-url: is "):
        address("star", "raw", f"http://{host}/full")
