"""docs/SEEDS.md: its commands are ones that exist, its tables say what the presets have, its pictures are there."""

import json
import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sketch_edge.cli import data, draw, export, train
from sketch_edge.train.config import PRESETS

DOCS = Path(__file__).parent.parent / "docs"
TEXT = (DOCS / "SEEDS.md").read_text(encoding="utf-8")
MAINS = {"sketch-data": data.main, "sketch-train": train.main, "sketch-export": export.main, "sketch-draw": draw.main}
COMMANDS = re.findall(r"^(sketch-\w+ .*)$", TEXT, flags=re.MULTILINE)
SECTIONS = ("attention", "lstm", "lstm-xy", "sketch-rnn")


def _section(preset):
    (found,) = re.findall(rf"^## {preset}\n(.*?)(?=^## )", TEXT, flags=re.MULTILINE | re.DOTALL)
    return found


@pytest.fixture
def drawings(tmp_path, monkeypatch):
    """A folder with a few drawings of each of the things that the text speaks of."""
    (tmp_path / "drawings").mkdir()
    names = {name for line in COMMANDS for name in re.findall(r"--class (\w+)", line)}
    for name in (each.replace("_", " ") for each in names):
        records = [
            {"word": name, "recognized": True, "drawing": [[[0, 255, i, 40], [0, i, 255, 90]]]} for i in range(1, 21)
        ]
        (tmp_path / "drawings" / f"{name}.ndjson").write_text("".join(json.dumps(each) + "\n" for each in records))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("preset", SECTIONS)
def test_each_has_a_command_to_prepare_train_export_and_draw(preset):
    """In this order, each taking up what the one before wrote."""
    words = [shlex.split(line) for line in re.findall(r"^(sketch-.*)$", _section(preset), flags=re.MULTILINE)]
    assert [each[0] for each in words] == ["sketch-data", "sketch-train", "sketch-export", "sketch-draw"]
    prepare, training, exporting, drawing = words
    assert training[1] == prepare[prepare.index("--out") + 1]
    assert training[training.index("--preset") + 1] == preset
    assert exporting[1] == training[training.index("--out") + 1]
    assert drawing[drawing.index("--model") + 1] == exporting[1].replace(".pt", ".sketch.zip")


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("sketch-data")])
def test_preparing(drawings, command):
    """It makes a data set of a folder of drawings."""
    words = shlex.split(command)
    result = CliRunner().invoke(data.main, words[1:])
    assert result.exit_code == 0, result.stderr
    assert (drawings / words[words.index("--out") + 1]).is_file()


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("sketch-train")])
def test_training(command):
    """Preset and settings are there."""
    result = CliRunner().invoke(train.main, [*shlex.split(command)[1:], "--settings"])
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith(("sketch-export", "sketch-draw"))])
def test_exporting_and_drawing(command):
    """Every option exists and takes what it is given."""
    program, *words = shlex.split(command)
    assert isinstance(MAINS[program].make_context(program, words), click.Context)


@pytest.mark.parametrize("setting", re.findall(r"--set (\w+=[\w.]+)", TEXT))
def test_settings_that_are_named_exist(setting):
    """With a value that they take."""
    name, _, value = setting.partition("=")
    assert str(PRESETS["sketch-rnn"].config.replace({name: value}).to_dict()[name]) == value


@pytest.mark.parametrize(
    ("preset", "text", "values"),
    [
        ("attention", "embedding 128, encoder 128 in each direction, decoder 256", (128, 128, 256)),
        ("attention", "| 32, 10 |", (32, 10)),
        ("attention", "0.9 times 0.9 each epoch", (0.9, 0.9)),
        ("attention", "weight decay 1e-5", (1e-5,)),
        ("lstm", "| 64, two layers of 512 |", (64, 512)),
        ("lstm", "after 3 epochs without", (3,)),
        ("lstm", "| 30, stopped after 5", (30, 5)),
        ("lstm", "| batch | | 64 |", (64,)),
        ("lstm-xy", "| 128, one layer of 256 |", (128, 256)),
        ("lstm-xy", "after 2 epochs without", (2,)),
        ("lstm-xy", "| 30, stopped after 3", (30, 3)),
    ],
)
def test_tables_say_what_the_presets_have(preset, text, values):
    """The numbers of a row are those of the settings."""
    names = {
        "embedding 128": ("class_embedding", "encoder_hidden", "decoder_hidden"),
        "| 32": ("batch", "epochs"),
        "0.9 times": ("teacher_forcing", "teacher_decay"),
        "weight": ("weight_decay",),
        "| 64": ("class_embedding", "decoder_hidden"),
        "| 128": ("class_embedding", "decoder_hidden"),
        "after": ("plateau_patience",),
        "| 30": ("epochs", "patience"),
        "| batch": ("batch",),
    }
    assert text in _section(preset)
    (chosen,) = [each for start, each in names.items() if text.startswith(start)]
    settings = PRESETS[preset].config.to_dict()
    assert tuple(settings[name] for name in chosen) == values


def test_every_picture_is_what_the_commands_draw():
    """From data set to picture, each command takes up what one before it wrote, and the text shows every picture."""
    written, drawn = {"drawings"}, []
    for program, *words in (shlex.split(line) for line in COMMANDS):
        source = words[words.index("--model") + 1] if program == "sketch-draw" else words[words[0] == "prepare"]
        assert source in written
        written |= {words[words.index("--out") + 1] if "--out" in words else source.replace(".pt", ".sketch.zip")}
        drawn += [words[words.index("--out") + 1]] if program == "sketch-draw" else []
    assert drawn == re.findall(r"\]\(([\w-]+\.svg)\)", TEXT)


def test_pictures_are_there_and_small():
    """Each system has its sheet, under 60 KB."""
    pictures = re.findall(r"\]\(([\w-]+\.(?:svg|png))\)", TEXT)
    assert len(pictures) >= 3
    for name in pictures:
        assert (DOCS / name).stat().st_size < 60_000
