"""Machine profiles: shipped ones, strict reading, overrides, and what is refused."""

import dataclasses
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.plot.dialects import DIALECTS, check_raw_line, clean_label
from sketch_edge.runtime.plot.machine import MACHINES, SECTIONS, Machine, describe_machine, load_machine, machine_names
from sketch_edge.runtime.plot.parts import Area, Extra, Lift, Paper, Park, Speed
from sketch_edge.runtime.plot.settings import field_types

NAMES = ("grbl-laser", "grbl-servo", "grbl-z", "klipper", "linuxcnc-z", "marlin-servo", "marlin-z")
every_machine = pytest.mark.parametrize("name", NAMES)

SMALL = 'format = 1\nname = "mine"\ndialect = "grbl"\n[pen]\nkind = "z"\nup = 5\ndown = 0\n'


def profile(tmp_path, text):
    """A file with that text."""
    path = tmp_path / "mine.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_seven_profiles_come_with_the_package():
    """Their names, sorted."""
    assert machine_names() == NAMES


@every_machine
def test_a_profile_shown_reads_back_as_the_same_machine(name, tmp_path):
    """What `describe_machine` writes is a whole profile, and the shipped files are just that."""
    machine = load_machine(name)
    text = describe_machine(machine)
    assert load_machine(profile(tmp_path, text)) == machine
    assert (MACHINES / f"{name}.toml").read_text("utf-8") == text


@every_machine
def test_a_profile_shown_names_every_key_that_matters(name):
    """Nothing has to be guessed: each key of each section is there, but those of other kinds of pens."""
    machine = load_machine(name)
    table = tomllib.loads(describe_machine(machine))
    for section, kind in SECTIONS.items():
        values = dataclasses.asdict(getattr(machine, section))
        assert set(table[section]) == {key for key in field_types(kind) if values[key] is not None}


@every_machine
def test_profiles_are_safe_to_begin_with(name):
    """The pen waits for a servo to arrive, feeds are moderate, and there are notes to read first."""
    machine = load_machine(name)
    if machine.pen.kind == "servo":
        assert machine.pen.up_dwell_s >= 0.2
        assert machine.pen.down_dwell_s >= 0.2
    assert machine.speed.draw_mm_min <= 3000
    assert len(machine.notes.splitlines()) >= 2
    assert machine.end


def test_missing_keys_have_defaults(tmp_path):
    """Name, dialect and the pen are enough; the pause is that of the dialect."""
    machine = load_machine(profile(tmp_path, SMALL))
    assert machine == Machine("mine", "grbl", pen=Lift("z", 5.0, 0.0))
    assert machine.program.pause_lines == ("M0",)
    assert load_machine(profile(tmp_path, SMALL.replace("grbl", "klipper"))).program.pause_lines == ("PAUSE",)


@pytest.mark.parametrize(
    ("key", "text", "section", "value"),
    [
        ("pen.down", "90", "pen", 90.0),
        ("speed.draw_mm_min", "1500", "speed", 1500.0),
        ("page.y_up", "False", "page", False),
        ("page.turn_degrees", "90", "page", 90),
        ("program.end_lines", "M9|G4 P0.5", "program", ("M9", "G4 P0.5")),
        ("program.pause_lines", "", "program", ()),
    ],
)
def test_an_override_replaces_one_value(key, text, section, value):
    """Text becomes what the field holds; everything else stays."""
    machine, before = load_machine("grbl-servo", {key: text}), load_machine("grbl-servo")
    changed = dataclasses.replace(getattr(before, section), **{key.split(".")[1]: value})
    assert machine == dataclasses.replace(before, **{section: changed})


def test_another_kind_of_pen_drops_the_keys_of_the_old_one():
    """Going to raw lines or to a servo needs the new keys only."""
    raw = load_machine("grbl-servo", {"pen.kind": "raw", "pen.up_lines": "M5", "pen.down_lines": "M3 S1000|G4 P0.1"})
    assert (raw.pen.up, raw.pen.down, raw.pen.down_lines) == (None, None, ("M3 S1000", "G4 P0.1"))
    z = load_machine("klipper", {"pen.kind": "z", "pen.up": "4", "pen.down": "0"})
    assert (z.pen.kind, z.pen.servo) == ("z", None)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"pen.dwn": "90"}, r"'pen.dwn': is no known key; did you mean pen\.down\?"),
        ({"qqqq": "90"}, r"'qqqq': is no known key; the keys are name, "),
        ({"format": "2"}, "'format': is no known key"),
        ({"pen.down": "deep"}, r"pen\.down: is 'deep' \(expected a number\)"),
        ({"pen.up": "30.0001", "pen.down": "30.0002"}, r"pen\.up: is 30\.0001 .*at least 0\.01 apart"),
        (
            {"pen.kind": "raw", "pen.up_lines": "M3 S9|G4 P1", "pen.down_lines": "M3 S9|G4 P2"},
            r"pen\.up_lines: are the same as pen\.down_lines but for waits",
        ),
        ({"pen.down": "nan"}, r"pen\.down: is nan \(expected -1000 to 10000\)"),
        ({"speed.draw_mm_min": "inf"}, r"speed\.draw_mm_min: is inf"),
        ({"speed.draw_mm_min": "0"}, r"speed\.draw_mm_min: is 0 \(expected 1 to 1e\+06\)"),
        ({"page.y_up": "yes"}, r"page\.y_up: is 'yes' \(expected true or false\)"),
        ({"page.turn_degrees": "45"}, r"page\.turn_degrees: is 45 \(expected one of 0, 90, 180, 270\)"),
        ({"page.turn_degrees": "1" * 5000}, r"page\.turn_degrees: is '1111"),
        ({"pen.kind": "hammer"}, r"pen\.kind: is 'hammer' \(expected one of servo, z, laser, raw\)"),
        ({"pen.kind": "z"}, r"pen\.up: is missing"),
        ({"pen.power": "5"}, r"pen\.power: does not go with a pen of kind servo"),
        ({"pen.servo": "1"}, r"pen\.servo: does not go with grbl"),
        ({"pen.up": "60"}, r"pen\.up: is 60 and pen\.down 60"),
        ({"dialect": "heidenhain"}, "dialect: is 'heidenhain'"),
        ({"name": "a!b"}, "name: is 'a!b'"),
        ({"area.x_max_mm": "-5"}, r"area\.x_max_mm: is -5 \(expected at least 1 mm over x_min_mm, 0\)"),
        ({"park.x_mm": "211"}, r"park: \(211, 0\) is out of the work area"),
    ],
)
def test_a_wrong_override_is_refused_by_its_key(overrides, message):
    """The message begins with the profile and names the key."""
    with pytest.raises(InputError, match=f"^grbl-servo: {message}"):
        load_machine("grbl-servo", overrides)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "format: is missing"),
        (SMALL.replace("format = 1", "format = 2"), "format: is 2 "),
        (SMALL.replace("format = 1", "format = true"), "format: is True "),
        (SMALL.replace('name = "mine"', ""), "name: is missing"),
        (SMALL.replace('"mine"', "7"), "name: is 7 "),
        (SMALL.replace('"mine"', '"' + "x" * 61 + '"'), "name: is 'xxx"),
        (SMALL.replace('dialect = "grbl"', ""), "dialect: is missing"),
        ("color = 3\n" + SMALL, "'color': is no known key"),
        ("areas = 3\n" + SMALL, "'areas': is no known key; did you mean area?"),
        ("pen = 3\n" + SMALL.split("[pen]")[0], r"pen: is 3 \(expected a section \[pen\]\)"),
        (SMALL + "upp = 3", r"pen\.'upp': is no known key; did you mean up\?"),
        (SMALL + "up = 3", "is no TOML \\(Cannot overwrite a value"),
        (SMALL.replace("up = 5", 'up = "5"'), r"pen\.up: is '5' \(expected a number\)"),
        (SMALL.replace("up = 5", "up = true"), r"pen\.up: is True \(expected a number\)"),
        (SMALL.replace("up = 5", "up = nan"), r"pen\.up: is nan"),
        (SMALL.replace("up = 5", "up = " + "9" * 400), r"pen\.up: is 999"),
        (SMALL.replace("up = 5", "up = " + "9" * 9000), "is no TOML that can be read \\(a number is too long"),
        (SMALL.replace("up = 5", "up = [5]"), r"pen\.up: is \[5\]"),
        (SMALL.replace("up = 5", "up = 0.05"), r"pen\.up: is 0\.05 \(expected at least 0\.1 mm over pen\.down"),
        (SMALL + "[program]\nstart_lines = 'M8'", r"program\.start_lines: is 'M8' \(expected a list of texts\)"),
        (SMALL + "[program]\nstart_lines = [8]", r"program\.start_lines: is \[8\]"),
        (SMALL + "x = " + "[" * 20000, "is no TOML that can be read \\(nested too deep"),
        (b"format = 1\nname = '\xff'", "2: is no UTF-8 text \\(byte 20 of the file"),
        (SMALL.replace("format = 1", "format = 0x" + "f" * 9000), "is no TOML that can be read"),
        ("a." * 30_000 + "a = 1", "1: a key has more than 5 parts"),
        ("#" * 70_000, "is over 64 KiB"),
    ],
)
def test_a_wrong_profile_is_refused_by_file_and_key(text, message, tmp_path):
    """Types are not guessed, unknown keys not skipped."""
    path = profile(tmp_path, text)
    with pytest.raises(InputError, match=message) as caught:
        load_machine(path)
    assert str(caught.value).startswith(f"{path}:")


@pytest.mark.parametrize("source", ["grbl-servos", "", "mine", "../machines/grbl-z", "gone.toml", "a\0b.toml"])
def test_a_profile_that_is_not_there_is_refused(source):
    """The message names the nearest of the names, or all of them, or why the file cannot be read."""
    with pytest.raises(InputError, match=r"choose one of|did you mean grbl-servo|cannot be read"):
        load_machine(source)


def test_a_folder_is_no_profile(tmp_path):
    """It cannot be read."""
    with pytest.raises(InputError, match="cannot be read"):
        load_machine(tmp_path)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "line",
    ["", " ", "M5\nM3 S90", "M5\r", "M5\x18", "M5!", "G4 P1~", "M5 ?", "M5 ; off", "M5 (off)", "$H", "%", "m5", "M5 ",
     " M5", "M5  S1", "G4 P1 P2", "G4 P1e3", "G4 Pnan", "G4 P1,5", "G1 X5 F100", "G28 X5", "M30", "M112", "G20", "G91",
     "G2 X1", "M5\u00e4", "G4 P\u0661", "M5" * 200, "M500", "SAVE_CONFIG", "N1 M5", "T1", "G10 L2 P1"],
)  # fmt: skip
def test_hostile_raw_lines_are_refused(dialect, line):
    """Several commands in one, real-time characters, comments, settings, moves across the paper, heat, and the like."""
    for pen in (True, False):
        with pytest.raises(InputError, match=r"^pen\.up_lines: the line "):
            check_raw_line(line, DIALECTS[dialect], "pen.up_lines", pen=pen)


@pytest.mark.parametrize(
    ("dialect", "pen", "line"),
    [
        ("grbl", True, "M3 S1000"),
        ("grbl", True, "G4 P0.2"),
        ("grbl", True, "G1 Z-0.5 F200"),
        ("linuxcnc", True, "M64 P0"),
        ("linuxcnc", False, "G64 P0.02"),
        ("marlin", True, "M280 P0 S90"),
        ("marlin", False, "G28 X Y"),
        ("marlin", False, "M84"),
        ("klipper", True, "PEN_UP"),
        ("klipper", True, "SET_PIN PIN=laser VALUE=0.5"),
        ("klipper", False, "G28"),
    ],
)
def test_useful_raw_lines_are_taken(dialect, pen, line):
    """What makers write for servos, solenoids, lasers and homing."""
    check_raw_line(line, DIALECTS[dialect], "pen.up_lines", pen=pen)


@pytest.mark.parametrize("key", ["start_lines", "pause_lines", "end_lines"])
def test_lines_of_the_program_may_not_lower_the_pen(key):
    """M3 belongs to the pen's own lines, where the pen is known to be put down."""
    with pytest.raises(InputError, match=rf"^program\.{key}: the line 'M3 S90' begins with M3 "):
        Machine("m", "grbl", program=Extra(**{key: ("M3 S90",)}))


def test_a_servo_that_the_end_would_drop_ends_without_m2():
    """M2 stops the spindle, and with it turns the servo to S0: only where that is up may it stand."""
    assert Machine("m", "grbl", pen=Lift("servo", 0.0, 90.0)).end == ("M2",)
    assert Machine("m", "grbl", pen=Lift("servo", 500.0, 50.0)).end == ()
    assert Machine("m", "grbl", pen=Lift("raw", up_lines=("M3 S9",), down_lines=("M5",))).end == ()
    with pytest.raises(InputError, match="is held by M3, but M2"):
        Machine("m", "linuxcnc", pen=Lift("servo", 500.0, 50.0))


def test_a_klipper_laser_needs_raw_lines():
    """The firmware has no command for one."""
    with pytest.raises(InputError, match="choose raw"):
        Machine("m", "klipper", pen=Lift("laser", power=1.0))


@pytest.mark.parametrize("servo", [None, "", "12", "a b", "x\n", "\u0661"])
@pytest.mark.parametrize("dialect", ["marlin", "klipper"])
def test_a_servo_needs_a_name_where_the_firmware_has_several(dialect, servo):
    """A digit for Marlin, a name for Klipper."""
    if dialect == "klipper" and servo == "12":
        return
    with pytest.raises(InputError, match=r"pen\.servo: is "):
        Machine("m", dialect, pen=Lift("servo", 90.0, 40.0, servo=servo))


def test_raw_lines_that_do_the_same_are_refused():
    """A pen that never moves is a mistake."""
    with pytest.raises(InputError, match=r"pen\.up_lines: are the same"):
        Machine("m", "grbl", pen=Lift("raw", up_lines=("M5",), down_lines=("M5",)))


@given(st.text())
def test_labels_keep_only_what_no_machine_acts_on(text):
    """At most 60 plain characters, whatever the text."""
    label = clean_label(text)
    assert len(label) <= 60
    assert set(label) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,_-")


finite = st.floats(-900, 900).map(lambda value: round(value, 4))
texts = st.text(st.characters(codec="utf-8").filter(str.isprintable), max_size=40)


@settings(max_examples=60)
@given(
    name=st.text("abcXYZ019._-", min_size=1, max_size=20),
    description=texts,
    notes=st.lists(texts, max_size=3).map("\n".join),
    low=st.tuples(finite, finite),
    size=st.tuples(st.floats(1, 2000), st.floats(1, 2000)),
    turn=st.sampled_from([0, 90, 180, 270]),
    y_up=st.booleans(),
    up=st.floats(0.1, 100),
    feed=st.floats(1, 1e6),
)
def test_any_machine_shown_reads_back(tmp_path_factory, name, description, notes, low, size, turn, y_up, up, feed):
    """Quotes, backslashes, any alphabet and any number come back as they were."""
    area = Area(low[0], low[0] + size[0] + 1, low[1], low[1] + size[1] + 1)
    machine = Machine(
        name, "linuxcnc", description, notes, area, Paper(low[0], low[1], y_up, turn), Lift("z", up, -up),
        Speed(draw_mm_min=feed), Park(low[0], low[1]),
    )  # fmt: skip
    path = tmp_path_factory.mktemp("profile") / "m.toml"
    path.write_text(describe_machine(machine), encoding="utf-8")
    assert load_machine(path) == machine


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    place=st.floats(0, 1),
    cut=st.integers(0, 12),
    insert=st.one_of(
        st.text(max_size=8), st.sampled_from(["=", "[", '"', "nan", "1e999", "-inf", "[[pen]]\n", "\n", "{}"])
    ),
)
def test_a_damaged_profile_is_refused_or_still_a_machine(tmp_path_factory, name, place, cut, insert):
    """Whatever is cut out or typed in, there is no other error than ours."""
    text = (MACHINES / f"{name}.toml").read_text("utf-8")
    at = int(place * len(text))
    path = tmp_path_factory.getbasetemp() / "damaged.toml"
    path.write_bytes((text[:at] + insert + text[at + cut :]).encode("utf-8", "replace"))
    try:
        result = describe_machine(load_machine(path))
    except InputError as error:
        result = str(error)
    assert result.startswith(("format = 1\n", f"{path}:"))
