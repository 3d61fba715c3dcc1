"""sketch-export with Magenta's files: from the file or from an address to a drawing, or one line of error."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("onnx")

from sketch_edge.cli import export
from sketch_edge.cli.draw import main as draw
from sketch_edge.cli.export import main
from sketch_edge.export import magenta_file
from sketch_edge.runtime.bundle import read_bundle
from tests.magenta_files import GEN, VAE, make, write


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return {
        kind: write(folder / kind, make(dims, mode)).read_bytes()
        for kind, dims, mode in (("gen", GEN, 2), ("vae", VAE, 1))
    }


@pytest.fixture
def here(tmp_path, monkeypatch, content):
    """An empty working folder but for two files."""
    monkeypatch.chdir(tmp_path)
    Path("palm_tree.gen.json").write_bytes(content["gen"])
    Path("cat.vae.json").write_bytes(content["vae"])
    return tmp_path


@pytest.fixture
def site(monkeypatch, content) -> Iterator[tuple[str, dict[str, bytes]]]:
    """A server that has what is put into the dictionary."""
    monkeypatch.setenv("no_proxy", "*")
    files = {"/models/cat.gen.json": content["gen"], "/models/alarm%20clock.gen.json": content["gen"]}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = files.get(self.path.partition("?")[0])
            self.send_response(404 if body is None else 200)
            if body is not None:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/models", files
        finally:
            server.shutdown()
            thread.join()


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def refused(result, what, code=2):
    """One error line with this in it."""
    assert result.exit_code == code, result.output
    assert result.stderr.splitlines()[-1].startswith("error: ")
    assert sum(line.startswith("error: ") for line in result.stderr.splitlines()) == 1
    assert what in result.stderr
    assert "Warning" not in result.output


def test_a_file_becomes_a_bundle_that_draws(here):
    """Beside the file, named by it, with a table of what was measured."""
    result = run("palm_tree.gen.json")
    assert result.exit_code == 0, result.output
    for word in ("step.onnx", "w8, draws 'palm tree'", "step parity", "drift", "rounding", "not stated"):
        assert word in result.stdout
    drawn = CliRunner().invoke(
        draw,
        ["--model", "palm_tree.sketch.zip", "-c", "palm tree", "--seed", "1", "-o", "p.svg"],
        catch_exceptions=False,
    )
    assert drawn.exit_code == 0, drawn.output
    assert Path("p.svg").exists()
    listed = CliRunner().invoke(draw, ["--model", ".", "--list"])
    assert listed.stdout == "palm tree\n"


def test_options_reach_the_bundle(here):
    """Variant, name and temperature; a default of its own for the last."""
    assert run("cat.vae.json", "--out", "x.sketch.zip", "--quantize", "none", "--name", "my cat").exit_code == 0
    manifest = read_bundle("x.sketch.zip").manifest
    assert (manifest.variant, manifest.name, manifest.defaults.temperature) == ("fp32", "my cat", 0.25)
    assert run("cat.vae.json", "--out", "x.sketch.zip", "--temperature", "0.6").exit_code == 0
    assert read_bundle("x.sketch.zip").manifest.defaults.temperature == 0.6


def test_files_and_their_bundles_are_shown(here):
    """What the file holds, and of a bundle where it came from."""
    shown = run("--inspect", "cat.vae.json")
    assert shown.exit_code == 0, shown.output
    for word in (
        "encoder and decoder of 40 units that draws 'cat'",
        "latent 11",
        "encoder 2 x 24",
        "70.5",
        "17 tensors",
    ):
        assert word in shown.stdout
    assert run("cat.vae.json").exit_code == 0
    shown = run("--inspect", "cat.sketch.zip")
    assert shown.exit_code == 0, shown.output
    assert "cat.vae.json (cat, version 6) of Google Magenta's" in shown.stdout
    assert "do not pass this file on" in shown.stdout


@pytest.mark.parametrize(("file", "name"), [("cat.gen.json", "cat"), ("alarm%20clock.gen.json?x=1", "alarm clock")])
def test_an_address_is_fetched_and_imported(here, site, file, name):
    """The bundle lies here, and nothing else is left."""
    before = set(here.iterdir())
    result = run(f"{site[0]}/{file}")
    assert result.exit_code == 0, result.output
    bundle = here / f"{name}.sketch.zip"
    assert set(here.iterdir()) - before == {bundle}
    assert read_bundle(bundle).manifest.classes == (name,)


@pytest.mark.parametrize(
    ("file", "body", "what"),
    [
        ("nothing.gen.json", None, "is not there"),
        ("short.gen.json", b"[1, 2]", "is a list of 2"),
        ("big.gen.json", b"[" + bytes(3000), "has over 2000 bytes, too many"),
        ("", b"[]", "names no file"),
        ("..", b"[]", "names no file"),
        ("%0A.gen.json", b"[]", "names no file"),
    ],
)
def test_bad_addresses_are_refused(here, site, monkeypatch, file, body, what):
    """One line, and nothing is left of what was fetched."""
    monkeypatch.setattr(magenta_file, "MAX_BYTES", 2000)
    if body is not None:
        site[1][f"/models/{file}"] = body
    before = {path.name for path in here.iterdir()}
    refused(run(f"{site[0]}/{file}", "--out", "x.sketch.zip"), what)
    assert {path.name for path in here.iterdir()} == before


def test_a_log_in_page_is_no_model(here, site):
    """What a captive portal answers: the link's fault, and nothing stays."""
    site[1]["/models/dog.gen.json"] = b"<html>log in</html>"
    before = {path.name for path in here.iterdir()}
    refused(run(f"{site[0]}/dog.gen.json"), "log-in page", code=1)
    assert {path.name for path in here.iterdir()} == before


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (["no.gen.json"], "no.gen.json: cannot be read"),
        (["cat.vae.json", "--classes", "cat"], "--classes: one of Magenta's models has a single class"),
        (["cat.vae.json", "--out", "cat.vae.json"], "is the model itself"),
        (["cat.vae.json", "--out", "palm_tree.gen.json"], "exists and is no bundle"),
        (["cat.vae.json", "--out", "no/x.sketch.zip"], "does not exist"),
        (["cat.vae.json", "--name", ""], "name ''"),
        (["cut.gen.json"], "cut.gen.json: is no proper JSON"),
        (["--inspect", "cut.gen.json"], "cut.gen.json: is no proper JSON"),
        (["lying.gen.json"], "lying.gen.json:dims[0]: is [1000000000, 27]"),
        (["wild.vae.json", "--quantize", "none"], "its weights give numbers beyond all bounds"),
        (["\x1b[31m.json"], "\\x1b[31m.json: cannot be read"),
        (["ftp://x/cat.gen.json"], "expected https://"),
    ],
)
def test_bad_input_is_refused_in_one_line(here, content, args, what):
    """Exit code 2, nothing left behind, nothing changed."""
    Path("cut.gen.json").write_bytes(content["gen"][:-1])
    lying = json.loads(content["gen"])
    lying[1][0] = [10**9, 27]
    write(Path("lying.gen.json"), lying)
    wild = json.loads(content["vae"])
    wild[2][8] = [32767] * (2 * 24 * 11)  # sigma = exp(thousands)
    wild[2][9] = [32767] * 11
    wild[2][2] = wild[2][5] = [32767] * 96
    write(Path("wild.vae.json"), wild)
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    refused(run(*args), what)
    assert {path.name: path.read_bytes() for path in here.iterdir()} == before


def test_without_onnx_it_says_what_to_install(here, monkeypatch):
    """torch is not asked for."""
    import sys

    for name in [name for name in sys.modules if name.startswith("sketch_edge.export.")]:
        if "magenta_file" not in name:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delattr("sketch_edge.export.magenta", raising=False)
    refused(run("cat.vae.json"), "needs onnx for one of Magenta's models; pip install onnx", code=1)
    assert export._stem("cat.vae.json") == "cat"
