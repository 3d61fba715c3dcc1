"""Settings: every value checked, every name explained, nothing that a bundle could not carry."""

import json

import pytest

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import Credit, Defaults, Manifest, Origin, Parity, Sizes
from sketch_edge.train.config import DEFAULT_PRESET, PRESETS, Config, explain_settings


def test_settings_survive_the_checkpoint():
    """What to_dict writes as JSON, from_dict reads."""
    config = Config().replace({"latent": 7, "optimizer": "adamw", "kl_weight": 0.25, "pen_rows": "all"})
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_settings_that_an_older_version_did_not_know_keep_their_defaults():
    """A checkpoint of before a setting came loads."""
    older = {name: value for name, value in Config().to_dict().items() if name != "pen_rows"}
    assert Config.from_dict(older) == Config()


def test_every_setting_has_bounds_or_choices_and_its_extremes_are_taken():
    """Lowest and highest value of each number, each word of each choice."""
    names = set(Config().to_dict()) - {"preset"}
    assert names == Config.RANGES.keys() | Config.CHOICES.keys()
    for name, bounds in ({**Config.RANGES, **Config.CHOICES}).items():
        for value in (bounds[0], bounds[-1]):
            assert Config().replace({name: value}).to_dict()[name] == value


@pytest.mark.parametrize("seed", [2**63 - 1, str(2**63 - 1), 2**53 + 1])
def test_seeds_that_no_float_can_tell_are_taken(seed):
    """A whole number never goes through a float."""
    assert Config().replace({"seed": seed}).train.seed == int(seed)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("latent", -1, "from 0 to 1024"),
        ("latent", "2.0", "a whole number"),
        ("latent", 2.5, "a whole number"),
        ("latent", True, "a whole number"),
        ("latent", [3], "a whole number"),
        ("latent", "9" * 5000, "a whole number"),
        ("latent", float("inf"), "a whole number"),
        ("seed", 2**63, "from 0 to"),
        ("learning_rate", "nan", "from 0 to 10"),
        ("learning_rate", "inf", "from 0 to 10"),
        ("learning_rate", None, "a number"),
        ("learning_rate", 10**400, "a number"),
        ("keep", "all", "choose one of best, last"),
        ("keep", {}, "a word"),
        ("latnt", 3, "the nearest: latent"),
        ("x", 3, "the settings are balance, batch"),
    ],
)
def test_bad_values_are_refused_by_name(name, value, what):
    """The message starts with the option and says what was expected, however long the value is."""
    with pytest.raises(InputError, match=f"^--set {name}.*{what}") as refused:
        Config().replace({name: value})
    assert len(str(refused.value)) < 700


def test_unknown_preset_is_refused():
    """Even one that is no text."""
    for preset in ("magic", 3, ["vae-gmm"]):
        with pytest.raises(InputError, match=r"choose one of vae-gmm"):
            Config.from_dict({"preset": preset})


def test_presets_know_their_names():
    """What a checkpoint records is the key that it was chosen by."""
    assert all(preset.config.preset == name for name, preset in PRESETS.items())
    assert DEFAULT_PRESET in PRESETS


def test_every_setting_is_explained():
    """In the order of the classes, none left out."""
    names = [name for name, meaning in explain_settings() if len(meaning) > 10]
    assert names == [name for name in Config().to_dict() if name != "preset"]


def test_a_bundle_can_carry_the_largest_sizes():
    """What may be trained may be exported: the bounds are not wider than those of the manifest."""
    latent, hidden, mixtures = (int(Config.RANGES[name][1]) for name in ("latent", "decoder_hidden", "mixtures"))
    sizes = Sizes(latent, hidden, mixtures, 10_000)
    manifest = Manifest(
        name="x",
        classes=("cat",),
        scale=1.0,
        sizes=sizes,
        variant="fp32",
        defaults=Defaults(1.0),
        parity=Parity(1, (1,), 0.0, "torch"),
        data=Credit("x", "y", None, 1),
        checkpoint=Origin("0" * 64, 1),
    )
    assert Manifest.from_json(manifest.to_json()).sizes == sizes


def test_the_help_of_the_command_names_every_preset():
    """With a line on each."""
    from click.testing import CliRunner

    from sketch_edge.cli.train import main

    lines = CliRunner().invoke(main, ["--help"]).output.splitlines()
    table = lines[next(i for i, line in enumerate(lines) if line.strip() == "Presets:") + 1 :]
    named = [line.split(maxsplit=1) for line in table[: table.index("")]]
    assert {name for name, _ in named} == set(PRESETS)
    assert all(len(meaning) > 20 for _, meaning in named)
