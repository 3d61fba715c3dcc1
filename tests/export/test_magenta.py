"""Magenta's models: what is imported computes what the file says, draws, encodes, and says where it came from."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx")

from sketch_edge.export import magenta, magenta_parity
from sketch_edge.export.compare import Difference
from sketch_edge.export.magenta import import_model
from sketch_edge.export.magenta_file import read_magenta
from sketch_edge.export.magenta_graphs import assemble_graphs
from sketch_edge.export.magenta_reading import reconstruction_loss
from sketch_edge.runtime.artist import load
from sketch_edge.runtime.bundle import read_bundle
from sketch_edge.runtime.errors import InputError, UnfinishedError
from sketch_edge.runtime.noise import Noise
from sketch_edge.runtime.session import Session
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.strokes import START_TOKEN, lines_to_stroke3, stroke3_to_stroke5
from tests.magenta_files import GEN, VAE, H, M, PlainReading, Z, make, write

DATA = os.environ.get("SKETCH_DATA")
PUBLISHED = sorted(Path(DATA, "magenta-models").glob("*.json")) if DATA else []
STEPS = 200


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("magenta")
    return {
        "gen": write(folder / "alarm_clock.gen.json", make(GEN, 2)),
        "vae": write(folder / "cat.vae.json", make(VAE, 1, seed=2)),
    }


@pytest.fixture(scope="module")
def bundles(files, tmp_path_factory):
    """Every kind in every variant."""
    folder = tmp_path_factory.mktemp("bundles")
    made = {}
    for kind, file in files.items():
        for quantize in ("none", "w8", "int8"):
            made[kind, quantize] = folder / f"{kind}-{quantize}.sketch.zip"
            import_model(read_magenta(file), made[kind, quantize], quantize=quantize)
    return made


def carried(path, rows, z):
    """Outputs and float64 states (h, c) of a bundle's step graph over rows (T, 5), carrying its own state."""
    session = Session(read_bundle(path), provider="cpu")
    steps = session.steps(session.start(np.asarray(z, np.float32)[None], [0]))
    outputs, states = [], [(steps.state.h[0].astype(np.float64), steps.state.c[0].astype(np.float64))]
    for row in rows:
        steps.x[:] = row
        steps.run()
        outputs.append(steps.y[0].copy())
        states.append((steps.state.h[0].astype(np.float64), steps.state.c[0].astype(np.float64)))
    return np.array(outputs), states


def random_rows(count, seed=0):
    """Rows as drawings have them."""
    generator = np.random.default_rng(seed)
    rows = np.zeros((count, 5), np.float32)
    rows[:, :2] = generator.normal(size=(count, 2))
    lift = generator.random(count) < 0.2
    rows[:, 2], rows[:, 3] = ~lift, lift
    return rows


@pytest.mark.parametrize("kind", ["gen", "vae"])
def test_200_carried_steps_are_those_of_the_published_formulas(kind, files, bundles):
    """All outputs within 1e-5 of an independent reading."""
    rows = random_rows(STEPS)
    z = np.random.default_rng(1).normal(size=Z if kind == "vae" else 0).astype(np.float32)
    expected = PlainReading(files[kind]).carry(rows.astype(np.float64), z.astype(np.float64))
    assert np.abs(carried(bundles[kind, "none"], rows, z)[0] - expected).max() < 1e-5


@pytest.mark.parametrize("file", PUBLISHED or [None], ids=lambda file: file.name if file else "none")
def test_published_models_compute_what_their_files_say(file, tmp_path):
    """Over a drawing of their own and its rest of 200 steps; imported within 3 seconds.

    Every step from the graphs' own state is within 1e-5. Trained networks enlarge what float32 rounds away in early
    steps, so what is carried may be ten times as far off as the same formulas are in numpy's float32.
    """
    if file is None:
        pytest.skip("SKETCH_DATA names no folder with magenta-models")
    out = tmp_path / "m.sketch.zip"
    import_model(read_magenta(file), out, quantize="none")
    artist = load(out)
    sketch = artist.draw(artist.classes[0], seed=1, temperature=1.0)
    rows = np.array([START_TOKEN, *as_rows(sketch, artist, STEPS - 1)], np.float32)
    reading, float32 = PlainReading(file), PlainReading(file, np.float32)
    z = np.zeros(artist.manifest.sizes.latent, np.float32)
    expected = reading.carry(rows.astype(np.float64), z)
    outputs, states = carried(out, rows, z)
    for x, y, before, after in zip(rows, outputs, states[:-1], states[1:], strict=True):
        h, c = reading.lstm(reading.decoder[2:], np.concatenate([x, z]), *before)
        assert far(y, after[0] @ reading.decoder[0] + reading.decoder[1]) < 1e-5
        assert max(far(after[0], h), far(after[1], c)) < 1e-5
    assert far(outputs, expected) < max(1e-5, 10 * far(float32.carry(rows, z), expected))
    before = time.process_time()
    import_model(read_magenta(file), out)
    assert time.process_time() - before < 3


def far(found, expected):
    """Largest difference: absolute up to magnitude 1, relative beyond."""
    return float((np.abs(found - expected) / np.maximum(1, np.abs(expected))).max())


def as_rows(sketch, artist, length):
    """Stroke-5 in model units, float32 as the graphs see it."""
    stroke3 = lines_to_stroke3(sketch.lines).astype(np.float64)
    stroke3[:, :2] /= artist.manifest.scale
    return stroke3_to_stroke5(stroke3[: length - 1], length)


@pytest.mark.parametrize("quantize", ["none", "w8", "int8"])
@pytest.mark.parametrize("kind", ["gen", "vae"])
def test_every_variant_draws(kind, quantize, bundles):
    """The same alone, among others, point by point and with numpy alone."""
    artist, plain = load(bundles[kind, quantize]), load(bundles[kind, quantize], provider="numpy")
    name = artist.classes[0]
    sketches = artist.draw_many([name] * 5, seed=3, temperature=1.0)
    assert len({len(sketch.stroke3) for sketch in sketches}) > 1
    for index, sketch in enumerate(sketches):
        for other in (
            artist.draw(name, seed=3, index=index, temperature=1.0),
            plain.draw(name, seed=3, index=index, temperature=1.0),
        ):
            assert all(map(np.array_equal, other.lines, sketch.lines))
    points = [(point.x, point.y) for point in artist.stream(name, seed=3, temperature=1.0)]
    assert points[-1] == tuple(sketches[0].lines[-1][-1])


def test_a_whole_model_encodes(files, bundles):
    """mu and sigma are those of the published formulas, for a sketch as users have it."""
    artist = load(bundles["vae", "none"])
    sketch = Sketch((np.array([[0, 0], [80, 10], [100, 200]]), np.array([[50.0, 50], [60, 220]])))
    mu, sigma = artist.encode(sketch, "cat")
    scaled = lines_to_stroke3(sketch.lines) / np.array([artist.manifest.scale, artist.manifest.scale, 1])
    expected = PlainReading(files["vae"]).encode(stroke3_to_stroke5(scaled)[:-1].astype(np.float64))
    assert np.abs(mu - expected[0]).max() < 1e-5
    assert np.abs(sigma - expected[1]).max() < 1e-5
    plain = load(bundles["vae", "none"], provider="numpy").encode(sketch, "cat")
    assert max(np.abs(plain[0] - mu).max(), np.abs(plain[1] - sigma).max()) < 1e-5
    assert np.array_equal(
        artist.reconstruct(sketch, "cat", seed=1).lines[0], artist.reconstruct(sketch, "cat", seed=1).lines[0]
    )


def test_a_decoder_alone_says_that_it_cannot_encode(bundles):
    """In words, not with a missing file."""
    artist = load(bundles["gen", "w8"])
    with pytest.raises(InputError, match="is a decoder alone"):
        artist.encode(artist.draw("alarm clock", seed=1), "alarm clock")
    assert len(Noise(1, 0, 0, M).z) == 0


def test_the_manifest_says_where_it_came_from(files, bundles):
    """File, hash, model and version; that the licence is not stated; the class of the file's name."""
    model, bundle = read_magenta(files["gen"]), read_bundle(bundles["gen", "w8"])
    manifest = bundle.manifest
    assert manifest.classes == ("alarm clock",)
    assert manifest.imported is not None
    assert (manifest.imported.file, manifest.imported.model) == ("alarm_clock.gen.json", "cat, version 6")
    assert "Magenta" in manifest.imported.source
    assert "user's own machine" in manifest.imported.note
    assert "not stated" in manifest.data.licence
    assert manifest.checkpoint.sha256 == model.sha256
    assert (manifest.sizes.latent, manifest.sizes.hidden, manifest.sizes.mixtures, manifest.sizes.max_points) == (
        0,
        H,
        M,
        60,
    )
    assert manifest.scale == pytest.approx(70.5 / 3.5)
    assert manifest.head == "mixture"
    assert set(bundle.members) == {"start.onnx", "step.onnx", "draw.onnx"}
    assert "encode.onnx" in read_bundle(bundles["vae", "w8"]).members


def test_two_imports_are_equal_bytes(files, bundles, tmp_path):
    """Same file, same name of the bundle, same bytes."""
    again = tmp_path / bundles["vae", "w8"].name
    import_model(read_magenta(files["vae"]), again)
    assert again.read_bytes() == bundles["vae", "w8"].read_bytes()


def test_both_forms_of_the_numbers_are_one_model(tmp_path):
    """Base64 and lists of whole numbers."""
    one, other = (
        read_magenta(write(tmp_path / "cat.gen.json", make(GEN, "gen", listed=listed))) for listed in (False, True)
    )
    for name, tensor in one.tensors.items():
        assert np.array_equal(tensor, other.tensors[name])


def test_int8_needs_a_decoder_of_some_size(tmp_path):
    """Where no matrix would be rounded."""
    dims = [[4, 9], [9], [5, 16], [4, 16], [16]]
    content = make(GEN, 2)
    content[1] = dims
    content[2] = [[0] * int(np.prod(shape)) for shape in dims]
    model = read_magenta(write(tmp_path / "dot.gen.json", content))
    with pytest.raises(InputError, match="too small"):
        import_model(model, tmp_path / "dot.sketch.zip", quantize="int8")
    import_model(model, tmp_path / "dot.sketch.zip")


@pytest.mark.parametrize("place", ["decoder_wh", "decoder_b", "decoder_wx"])
def test_graphs_of_another_gate_order_are_refused(place, files, tmp_path, monkeypatch):
    """The gates must not pass each other's weights: i, f, g, o instead of i, g, f, o."""
    model = read_magenta(files["gen"])
    i, g, f, o = np.split(model.tensors[place], 4, axis=-1)
    wrong = replace(model, tensors={**model.tensors, place: np.concatenate([i, f, g, o], axis=-1)})
    monkeypatch.setattr(magenta, "assemble_graphs", lambda _: assemble_graphs(wrong))
    with pytest.raises(UnfinishedError, match=r"step\.onnx: differs from the file in a step"):
        import_model(model, tmp_path / "x.sketch.zip")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_encoder_is_refused(files, tmp_path, monkeypatch):
    """Forward and backward swapped."""
    model = read_magenta(files["vae"])
    swapped = {
        name: model.tensors[name.replace("forward", "?").replace("backward", "forward").replace("?", "backward")]
        for name in model.tensors
    }
    monkeypatch.setattr(magenta, "assemble_graphs", lambda _: assemble_graphs(replace(model, tensors=swapped)))
    with pytest.raises(UnfinishedError, match=r"encode\.onnx: differs from the file"):
        import_model(model, tmp_path / "x.sketch.zip")


def test_a_difference_over_what_is_allowed_is_refused():
    """And no number counts as one."""
    for step in (Difference(2e-5, 2.0), Difference(np.inf, np.inf), Difference(np.nan, np.nan)):
        with pytest.raises(UnfinishedError):
            magenta_parity.require_parity(magenta_parity.Measured(step, Difference(0, 0), None))


def test_the_loss_is_that_of_the_paper(files):
    """Against the sums written out for one drawing, point by point."""
    model = read_magenta(files["gen"])
    stroke3 = np.array([[30.0, -20, 0], [10, 40, 1], [-60, 0, 1]])
    rows = stroke3_to_stroke5(stroke3 / (70.5, 70.5, 1)).astype(np.float64)
    y = PlainReading(files["gen"]).carry(np.array([START_TOKEN, *rows[:2]]), np.zeros(0))
    total = 0.0
    for output, (dx, dy, *pen) in zip(y, rows, strict=False):
        logits, (pi, mx, my, sx, sy, corr) = output[:3], output[3:].reshape(6, M)
        sx, sy, corr, pi = np.exp(sx), np.exp(sy), np.tanh(corr), np.exp(pi) / np.exp(pi).sum()
        a, b = (dx - mx) / sx, (dy - my) / sy
        normal = np.exp(-(a * a + b * b - 2 * corr * a * b) / (2 * (1 - corr**2)))
        total -= np.log((pi * normal / (2 * np.pi * sx * sy * np.sqrt(1 - corr**2))).sum())
        total -= np.log((np.exp(logits) / np.exp(logits).sum())[pen.index(1)])
    assert reconstruction_loss(model, [stroke3]) == pytest.approx(total / 60, abs=1e-5)
    assert reconstruction_loss(model, [stroke3, stroke3]) == pytest.approx(total / 60, abs=1e-5)
    with pytest.raises(ValueError, match="max_points"):
        reconstruction_loss(model, [np.zeros((61, 3))])


def test_no_torch_is_needed(files, tmp_path):
    """Neither to import nor to draw."""
    code = (
        "import sys; sys.modules.update(torch=None, onnxscript=None); from sketch_edge.cli.export import main; "
        "main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, files["vae"], "--out", tmp_path / "cat.sketch.zip"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "encode parity" in done.stdout
    assert load(tmp_path / "cat.sketch.zip").classes == ("cat",)
