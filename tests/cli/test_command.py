"""How console commands end: exit codes, the one error line, signals, pipes."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from typing import IO

import click
import pytest
from click.testing import CliRunner, Result

from sketch_edge.cli.command import LONGEST_MESSAGE, SketchCommand, SketchGroup, say, section
from sketch_edge.runtime.errors import DataError, UnfinishedError, escape
from sketch_edge.runtime.version import VERSION

HEAD = """
import os, sys, time, click
from pathlib import Path
from sketch_edge.cli.command import SketchCommand, say
from sketch_edge.runtime.files import write_atomic

@click.command("sketch-test", cls=SketchCommand)
@click.argument("words", nargs=-1)
def main(words):
"""


def run(body: Callable[[], object], *args: str, env: dict[str, str] | None = None) -> Result:
    """Run a command whose body is the function `body` and return click's result."""

    @click.command("sketch-test", cls=SketchCommand)
    @click.option("--seed", type=int, default=3, help="A number.")
    @click.option("--shape", type=click.Choice(["row", "grid"]))
    @click.argument("words", nargs=-1)
    def command(seed, shape, words):
        return body()

    return CliRunner().invoke(command, args, env=env)


def refuse(error: BaseException) -> Callable[[], None]:
    """Make a body that raises `error`."""

    def body() -> None:
        raise error

    return body


def pipe(stream: IO[bytes] | None) -> IO[bytes]:
    """Return a stream that was asked for as a pipe."""
    assert stream is not None
    return stream


@pytest.fixture
def script(tmp_path):
    """Return a function that writes a command with the given body and returns the argv that runs it."""

    def write(body):
        path = tmp_path / "sketch_test.py"
        path.write_text(
            HEAD + textwrap.indent(textwrap.dedent(body), "    ") + '\n\nif __name__ == "__main__":\n    main()\n'
        )
        return [sys.executable, str(path)]

    return write


def test_a_command_that_returns_nothing_exits_with_0():
    """Done is 0."""
    result = run(lambda: None)
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("error", "code"), [(DataError("cat.npz: is empty; make it again"), 2), (UnfinishedError("x"), 1)]
)
def test_an_error_of_the_library_is_one_line_and_its_exit_code(error, code):
    """SketchError says itself which code it deserves."""
    result = run(refuse(error))
    assert (result.exit_code, result.stderr, result.stdout) == (code, f"error: {error}\n", "")


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["--seed", "x"], "error: --seed: 'x' is no whole number; try 'sketch-test --help'\n"),
        (["--sed", "1"], "error: --sed: no such option (the nearest: --seed, --shape); try 'sketch-test --help'\n"),
        (["--seed"], "error: --seed: requires an argument; try 'sketch-test --help'\n"),
        (["--shape", "ring"], "error: --shape: 'ring' is not one of 'row', 'grid'; try 'sketch-test --help'\n"),
    ],
)
def test_a_bad_option_is_one_line_that_names_it(args, line):
    """Usage errors take the same form as all others."""
    result = run(lambda: None, *args)
    assert (result.exit_code, result.stderr) == (2, line)


def test_a_missing_option_names_the_choices():
    """A required choice that was not given says what can be given."""

    @click.command("sketch-test", cls=SketchCommand)
    @click.option("--shape", type=click.Choice(["row", "grid"]), required=True)
    def command(shape):
        raise AssertionError

    result = CliRunner().invoke(command, [])
    assert result.exit_code == 2
    assert result.stderr == "error: --shape: missing (expected one of row, grid); try 'sketch-test --help'\n"


@pytest.fixture
def group():
    """A group with one command."""

    @click.group("sketch-group", cls=SketchGroup)
    def main():
        """Do one of several things."""

    @main.command("fetch")
    @click.argument("names", nargs=-1, required=True)
    def fetch(names):
        """Fetch."""
        raise DataError(f"{names[0]}: no")

    return main


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ([], "error: sketch-group: missing command; try 'sketch-group --help'\n"),
        (["fetch"], "error: NAMES: missing; try 'sketch-group fetch --help'\n"),
        (["fetch", "cat"], "error: cat: no\n"),
    ],
)
def test_commands_of_a_group_keep_the_form(group, args, line):
    """A command inside a group ends like one that stands alone."""
    result = CliRunner().invoke(group, args)
    assert (result.exit_code, result.stderr.replace("...:", ":")) == (2, line)


def test_an_unknown_command_of_a_group_is_refused(group):
    """The line names what was typed."""
    result = CliRunner().invoke(group, ["fetsch"])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: sketch-group: no such command 'fetsch'")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_goes_to_stdout_with_defaults(option):
    """Help is a result, and shows defaults."""
    result = run(lambda: None, option)
    assert result.exit_code == 0
    assert "[default: 3]" in result.stdout
    assert "--version" in result.stdout


def test_arguments_are_no_options_and_numbers_are_short():
    """The help lists options alone, and calls a whole number within bounds N, another one X."""

    @click.command("sketch-test", cls=SketchCommand)
    @click.argument("data", metavar="DATA.NPZ")
    @click.option("--steps", type=click.IntRange(1, 9), help="How many.")
    @click.option("--share", type=click.FloatRange(0, 1), help="How much.")
    @click.option("--width", type=click.IntRange(1, 9), metavar="PX", help="How wide.")
    def command(data, steps, share, width):
        pass

    usage, _, options = CliRunner().invoke(command, ["--help"]).stdout.partition("Options:")
    assert "DATA.NPZ" in usage
    assert "DATA.NPZ" not in options
    assert [line.split()[:2] for line in options.splitlines()[1:4]] == [
        ["--steps", "N"],
        ["--share", "X"],
        ["--width", "PX"],
    ]


def test_options_stand_under_the_headings_of_their_sections():
    """Sections come in the order of their first option; options without one, --help among them, stand last."""

    @click.command("sketch-test", cls=SketchCommand)
    @section("Page")("--page", help="Size.")
    @section("Plotter")("--machine", help="Name.")
    @section("Page")("--margin", help="Length.")
    def command(page, machine, margin):
        pass

    text = CliRunner().invoke(command, ["--help"]).stdout
    order = [
        text.index(word) for word in ("Page:", "--page", "--margin", "Plotter:", "--machine", "Options:", "--help")
    ]
    assert order == sorted(order)
    assert CliRunner().invoke(command, ["--pag", "a4"]).stderr.startswith("error: --pag: no such option (the nearest")


def test_version_is_printed(group):
    """Both kinds of command have it."""
    assert run(lambda: None, "--version").stdout == f"sketch-test {VERSION}\n"
    assert CliRunner().invoke(group, ["--version"]).stdout == f"sketch-group {VERSION}\n"


def test_control_characters_of_a_message_are_escaped():
    """A file name cannot forge a line, move the cursor or turn the text round."""
    result = run(refuse(DataError("a\nerror: b\x1b[2J\u202e\udcff: bad; go")))
    assert result.stderr == "error: a\\nerror: b\\x1b[2J\\u202e\\udcff: bad; go\n"


def test_an_option_value_with_line_ends_stays_on_one_line():
    """What the user typed comes back escaped."""
    result = run(lambda: None, "--seed", "1\n2")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_a_very_long_message_is_cut():
    """A megabyte of option value does not fill the terminal."""
    result = run(refuse(DataError("x" * 10**6)))
    assert len(result.stderr) < LONGEST_MESSAGE + 20


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(28, "No space left on device", "out.svg"), "out.svg: No space left on device; check the disk"),
        (OSError("odd"), "sketch-test: odd; check the disk"),
        (MemoryError(), "sketch-test: not enough memory; "),
        (ModuleNotFoundError("x", name="torch"), "sketch-test: needs torch; pip install 'sketch-edge[train]'"),
        (
            ModuleNotFoundError("x", name="onnxscript.ir"),
            "sketch-test: needs onnxscript; pip install 'sketch-edge[export]'",
        ),
        (
            ImportError("libx.so", name="onnxruntime"),
            "sketch-test: onnxruntime cannot be loaded (libx.so); pip install --force-reinstall onnxruntime",
        ),
        (
            ImportError("cut", name="PIL._imaging"),
            "sketch-test: PIL cannot be loaded (cut); pip install --force-reinstall pillow",
        ),
        (ZeroDivisionError("by 0"), "sketch-test: a fault of the program, ZeroDivisionError at test_command.py:"),
        (EOFError("cut"), "sketch-test: a fault of the program, EOFError"),
    ],
)
def test_other_errors_are_one_line_and_exit_with_1(error, line):
    """The machine could not, or the program has a fault; no traceback either way."""
    result = run(refuse(error))
    assert result.exit_code == 1
    assert result.stderr.strip().startswith("error: " + line)
    assert result.stderr.strip().count("\n") == 0


def test_torch_missing_in_the_export_command_names_the_export_extra():
    """The extra that is named is the one that the command needs."""

    @click.command("sketch-export", cls=SketchCommand)
    def command():
        raise ModuleNotFoundError("x", name="torch")

    assert (
        CliRunner().invoke(command, []).stderr
        == "error: sketch-export: needs torch; pip install 'sketch-edge[export]'\n"
    )


def test_debug_shows_the_traceback_before_the_line():
    """SKETCH_DEBUG=1 is for those who look for a fault."""
    result = run(refuse(DataError("x")), env={"SKETCH_DEBUG": "1"})
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("\nerror: x\n")


def test_say_goes_to_stderr_and_escapes_controls(capsys):
    """Reports never mix with results."""
    say("a\tb\nc\x1b[1m")
    assert capsys.readouterr() == ("", "a\tb\nc\\x1b[1m\n")


def test_escape_leaves_printable_text_alone():
    """Letters of any script stay."""
    assert escape("Stern ★ 猫") == "Stern ★ 猫"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_ends_with_its_code_and_cleans_up(script, tmp_path, number, code):
    """A command stopped while it writes leaves neither the file nor its temporary."""
    argv = script(f"""
        real = os.fsync
        def slow(descriptor):
            print("writing", flush=True)
            time.sleep(60)
        os.fsync = slow
        write_atomic({str(tmp_path / "out.svg")!r}, b"x")
    """)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert pipe(process.stdout).readline() == b"writing\n"
        assert len(list(tmp_path.glob(".out.svg.*"))) == 1
        process.send_signal(number)
        stderr = process.communicate(timeout=20)[1]
    assert process.returncode == code
    assert b"Traceback" not in stderr
    assert [path.name for path in tmp_path.iterdir()] == ["sketch_test.py"]


def test_an_ignored_sigterm_stays_ignored(script):
    """Who starts a command with the signal ignored keeps it so."""
    argv = script("""
        print("ready", flush=True)
        sys.stdin.readline()
        print("done")
    """)
    ignore = lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN)  # noqa: E731
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=ignore) as process:
        assert pipe(process.stdout).readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        assert process.communicate(b"\n", timeout=20)[0] == b"done\n"
    assert process.returncode == 0


def test_a_reader_that_goes_away_is_no_noise(script):
    """`sketch-draw ... | head -1` prints nothing on standard error."""
    argv = script("""
        for _ in range(100000):
            click.echo("x" * 100)
    """)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        pipe(process.stdout).readline()
        pipe(process.stdout).close()
        stderr = pipe(process.stderr).read()
    assert (process.returncode, stderr) == (1, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_behind_stdout_is_one_line(script):
    """The failure shows as an error, not as noise of the interpreter."""
    argv = script('click.echo("x")')
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: sketch-test: No space left on device")
    assert done.stderr.count(b"\n") == 1


def test_a_character_that_the_terminal_lacks_is_escaped(script):
    """A Latin-1 pipe ends no command."""
    argv = script('click.echo("\\u732b")')
    done = subprocess.run(argv, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\\u732b\n", b"")


def test_the_base_needs_no_training_packages():
    """The base of every command is light."""
    code = "import sys, sketch_edge.cli.command; sys.exit(bool({'torch', 'onnx', 'tqdm'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(("args", "code"), [(["--help"], 0), ([], 2)])
def test_a_process_that_leaves_at_once_loses_nothing(args, code, tmp_path):
    """What was printed into a pipe or a file is there, and the exit code is that of the command."""
    script = HEAD + "    raise click.UsageError('nothing')\n\nfrom sketch_edge.cli.command import leave\nleave(main)\n"
    (tmp_path / "command.py").write_text(script)
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        done = subprocess.run(
            [sys.executable, str(tmp_path / "command.py"), *args], stdout=out, stderr=err, check=False, timeout=60
        )
    assert done.returncode == code
    text = (tmp_path / ("err" if code else "out")).read_text()
    assert text.startswith("error: ") if code else "--version" in text


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_standard_stream_is_no_fault(closed, tmp_path):
    """The command does its work, and no file that it opens gets the number of the stream."""
    body = "    with open('made', 'wb') as made:\n        made.write(str(made.fileno()).encode())\n"
    script = HEAD + body + "\nfrom sketch_edge.cli.command import leave\nleave(main)\n"
    (tmp_path / "command.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "command.py"], cwd=tmp_path, preexec_fn=lambda: os.close(closed), check=False, timeout=60
    )
    assert done.returncode == 0
    assert int((tmp_path / "made").read_text()) > 2
