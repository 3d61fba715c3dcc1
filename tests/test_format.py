"""docs/FORMAT.md says what the code does: its examples are read from the document and tried."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sketch_edge.runtime import strokes
from sketch_edge.runtime.bundle import MAX_BYTES, MEMBER_ORDER, Defaults, Imported, read_bundle
from sketch_edge.runtime.manifest import HEADS, VARIANTS
from sketch_edge.runtime.noise import Noise

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "FORMAT.md").read_text(encoding="utf-8")
TINY = ROOT / "tests" / "data" / "tiny.sketch.zip"


def block_after(heading: str) -> list[str]:
    """The lines of the first code block after a text."""
    return TEXT.split(heading, 1)[1].split("```\n", 2)[1].splitlines()


def numbers_after(heading: str) -> list[list[float]]:
    """The numbers at the start of each line of that block."""
    lines = (re.match(r"[-\d. ]+", line) for line in block_after(heading))
    return [[float(word) for word in line[0].split()] for line in lines if line]


def keys_of(content: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted keys of the innermost values."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield from keys_of(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def test_stroke_examples_are_one_drawing():
    """Lines, stroke-3, stroke-5 and simplified of the document belong together."""
    lines = [np.array(json.loads(f"[{line}]")).squeeze(0) for line in block_after("**Lines**")]
    stroke3 = strokes.lines_to_stroke3(lines)
    np.testing.assert_array_equal(stroke3, numbers_after("**stroke-3**"))
    np.testing.assert_array_equal(strokes.stroke3_to_stroke5(stroke3), numbers_after("**stroke-5**"))
    simplified = re.search(r"The example becomes `(.*?)`", TEXT)
    assert simplified
    assert strokes.lines_to_simplified(lines) == json.loads(simplified[1])


def test_the_bytes_of_a_bundle_are_those_of_the_document():
    """The hex dump is that of the tiny bundle."""
    content = TINY.read_bytes()
    dumped = 0
    for line in block_after("The first 64 bytes"):
        if line == "...":
            continue
        place, data = int(line[:8], 16), bytes.fromhex(line[10:49])
        assert content[place : place + len(data)] == data
        dumped += len(data)
    assert dumped == 64 + 22


def test_every_manifest_key_is_explained():
    """And no key that there is not."""
    tiny = read_bundle(TINY).manifest
    imported = replace(tiny, imported=Imported("cat.gen.json", "cat", "somebody", "a note"))
    said = replace(imported, sizes=replace(tiny.sizes, state=5, constant=7), hidden=("star",))
    content = json.loads(replace(said, defaults=Defaults(0.4, {"NAME": 0.2})).to_json())
    content["members"] = {"NAME": content["members"]["step.onnx"]}
    table = TEXT.split("### manifest.json")[1].split("### Graphs")[0]
    assert set(re.findall(r"^\| `([\w.]+)` \|", table, re.MULTILINE)) == set(keys_of(content))
    for choice in (*HEADS, *VARIANTS):
        assert f'"{choice}"' in table


def test_every_member_is_named():
    """With its order and the cap on the file."""
    positions = [TEXT.index(f"`{name}`") for name in MEMBER_ORDER]
    assert positions == sorted(positions)
    assert f"at most {MAX_BYTES >> 20} MiB" in TEXT


@pytest.mark.parametrize("member", ["start.onnx", "step.onnx", "encode.onnx", "draw.onnx"])
def test_every_port_of_a_graph_is_named(member):
    """Names of inputs and outputs."""
    from sketch_edge.runtime.session import signature

    table = TEXT.split("### Graphs")[1].split("## Noise")[0]
    for ports in signature(member, read_bundle(TINY).manifest.sizes):
        for name in ports:
            assert f"`{name}`" in table


def test_noise_example():
    """z and two steps of seed 7."""
    rows = [re.findall(r"-?\d+\.\d+", line) for line in block_after("Seed 7, index 0")[:3]]
    noise = Noise(7, 0, latent=4, mixtures=3)
    np.testing.assert_allclose(noise.z, np.array(rows[0], float), rtol=2e-7)
    np.testing.assert_allclose(np.hstack(noise.steps(2)), np.array(rows[1:], float), rtol=2e-7)


def test_members_of_the_data_set_are_those_of_its_module():
    """The table of data.npz names what train/dataset.py reads."""
    module = (ROOT / "train" / "dataset.py").read_text(encoding="utf-8")
    listed = set(re.findall(r'^    "(\w+)": \("', module, re.MULTILINE))
    table = TEXT.split("## Data set")[1].split("## Checkpoint")[0]
    assert listed
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == listed
