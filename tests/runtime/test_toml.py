"""TOML files: what is read, and that no text takes memory or time beyond its length."""

import importlib
import random
import time
import tomllib

import pytest

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.toml import MOST_PARTS, parse_toml

PARTS = ["a", "'a'", '"a"', '""', '"\\""', '"\\\\"', "'\"'", '"\'"', '"#"', "'\\'", '"\\\\\\""', '"' + "x" * 300 + '"']


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("dot", [".", " . ", "\t."])
@pytest.mark.parametrize("frame", ["{} = 1", "[{}]", "[[{}]]", "x = {{ {} = 1 }}", 'x = ["""a"""", {{ {} = 1 }}]'])
def test_a_key_of_many_parts_is_refused_however_its_parts_are_quoted(part, dot, frame):
    """The parser of Python takes memory with the square of their number."""
    begin = "p = 'it is \"fine\"' # isn't it\nq = '''\n'''''\n"
    few = begin + frame.format(dot.join([part] * 1))
    assert parse_toml(few.encode(), "f") == tomllib.loads(few)
    many = begin + frame.format(dot.join([part] * 20_000))
    with pytest.raises(InputError, match=f"^f:4: a key has more than {MOST_PARTS} parts"):
        parse_toml(many.encode(), "f")


@pytest.mark.parametrize("base", ["0x", "0o", "0b", "x = 0x_", "[0x", ""])
def test_numbers_that_python_cannot_write_are_refused(base):
    """They would end the message about them."""
    text = f"x = {base.removeprefix('x = ')}{'1' * 20_000}"
    with pytest.raises(InputError, match=r"is no TOML .*"):
        parse_toml(text.encode(), "f")


@pytest.mark.parametrize(
    "value",
    [
        '"a.b.c.d.e.f.g.h"',
        "'a.b.c.d.e.f.g.h'",
        '"""\na.b.c.d.e.f.g.h\n"""',
        "'''a.b.c.d.e.f.g.h'''",
        "1 # a.b.c.d.e.f.g.h",
        "[1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]",
    ],
)
def test_dots_elsewhere_are_no_key(value):
    """In texts, comments and numbers there may be any number."""
    text = f"x = {value}\ny = 1"
    assert parse_toml(text.encode(), "f") == tomllib.loads(text)


@pytest.mark.parametrize(
    "piece",
    ['"', "'", '\\"', '"\\', '"""', "'''", "a.", '"".', "#", "a", " ", "\\", '"a', "'.\n", "["],
)
def test_a_megabyte_of_anything_is_refused_at_once(piece):
    """The look for long keys is linear in the length of the text."""
    began = time.process_time()
    with pytest.raises(InputError) as caught:
        parse_toml((piece * (1_000_000 // len(piece)) + "\n=").encode(), "f")
    assert time.process_time() - began < 10
    assert "\n" not in str(caught.value)


def test_keys_are_told_from_other_text_as_the_parser_does(monkeypatch):
    """Random texts of the characters that delimit: of those that are TOML, the ones with a long key are refused."""
    longest = 0
    parser = importlib.import_module("tomllib._parser")
    parse_key = parser.parse_key

    def counted(*arguments):
        nonlocal longest
        end, key = parse_key(*arguments)
        longest = max(longest, len(key))
        return end, key

    monkeypatch.setattr(parser, "parse_key", counted)
    rng = random.Random(7)
    taken = refused = 0
    for _ in range(20_000):
        text = _text(rng)
        longest = 0
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            continue
        taken += 1
        if longest > MOST_PARTS:
            refused += 1
            with pytest.raises(InputError, match="a key has more than"):
                parse_toml(text.encode(), "f")
        else:
            assert parse_toml(text.encode(), "f") == table
    assert taken > 5000
    assert refused > 1000


def _text(rng: random.Random) -> str:
    """A few lines that are TOML more often than not."""
    strings = ["'.a.a.a.a.a.a'", '"\\".a.a.a.a.a.a"', '""', '"#"', "'\\'", "'\"'", '"\'"']
    texts = [*strings, '"""a\n.a.a.a.a.a.a"""', "'''\n'a.a.a.a.a.a''''", '"""\\""""""', '""""a""""', ""]
    lines = []
    for number in range(rng.randrange(1, 4)):
        parts = [rng.choice(["a", "b-2", "_", *strings]) for _ in range(rng.choice((1, 2, MOST_PARTS, MOST_PARTS + 1)))]
        parts[0] += str(number) if parts[0][-1] not in "\"'" else ""
        key, value = rng.choice((".", " . ")).join(parts), rng.choice([*texts, "1.5"])
        value = rng.choice(["{}", "[{}, {}]", "{{ x = {} }}", "[{{ {} = {} }}]", "{} # a.a.a.a.a.a"]).format(
            value, value
        )
        line = rng.choice(["{k} = {v}", "[{k}]\nx = {v}", "[[{k}]]", "y = {{ {k} = {v} }}", "{v} {k}", "# {k}"])
        lines.append(line.format(k=key, v=value))
    return "\n".join(lines)
