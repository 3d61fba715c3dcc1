"""The base of all console commands: how they end, how they report, and what they say when something is wrong.

======  ======================================================================================
exit    meaning
======  ======================================================================================
0       done
1       could not finish: disk, link, memory, a package that is not installed, a reader gone from a pipe
2       bad input or option
130     stopped by Ctrl-C
143     stopped by SIGTERM (129: by a hang-up of the terminal)
======  ======================================================================================

Every refusal is exactly one line on standard error, ``error: where: what is wrong (got, expected); what to do``.
Control characters in it are escaped, so a hostile file name can neither forge a second line nor drive the terminal.
With the environment variable ``SKETCH_DEBUG=1`` the traceback stands before that line.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import gc
import math
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from sketch_edge.runtime.errors import SketchError, escape
from sketch_edge.runtime.version import VERSION

CONTEXT_SETTINGS: dict[str, Any] = {
    "show_default": True,
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
}

LONGEST_MESSAGE = 2000
"""Characters of an error line; what is longer (an option value of a megabyte) is cut."""

TERM_WIDTH = 28
"""Columns of the help for the names of options; a longer one stands on a line of its own."""

_TRAIN, _EXPORT = "'sketch-edge[train]'", "'sketch-edge[export]'"

_BRINGS = {
    "torch": _TRAIN,
    "tqdm": _TRAIN,
    "tensorboard": _TRAIN,
    "matplotlib": _TRAIN,
    "svgelements": "svgelements",  # small, and all that reading an SVG takes: the extra would bring torch to a Pi
    "onnx": _EXPORT,
    "onnxscript": _EXPORT,
    "onnx_ir": _EXPORT,
}
"""What to have pip install for a package that is missing; the base dependencies are not here."""

_NUMBERS = {"integer": "no whole number", "float": "no number"}
"""What a text is not that click calls no valid integer, float, or range of either."""

_BASE = {"numpy": "numpy", "onnxruntime": "onnxruntime", "click": "click", "PIL": "pillow"}
"""What pip calls the packages that are always installed."""


class Stopped(BaseException):
    """A signal asked the process to end; raised in the main thread, so that `finally` blocks clean up."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def leave(main: Callable[[], Any]) -> NoReturn:
    """Run a command as a whole process and end that process at once, without taking everything in it apart first.

    What Python and onnxruntime do at the end, freeing object after object, takes a tenth of a drawing's time, and the
    system does it anyway. Files are written and closed by then; only what waits in the standard streams is not.
    """
    if None in (sys.stdin, sys.stdout, sys.stderr):
        _fill_standard_streams()
    gc.disable()  # a command is over before cycles of garbage amount to anything
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    for stream in (sys.stdout, sys.stderr):
        _silence(stream)
    os._exit(code if isinstance(code, int) else 1)


def _fill_standard_streams() -> None:
    """Open nothing in the place of standard streams that are closed.

    Else the next file to be opened would get the number of one, and what a library has to say would go into that file.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)


def say(message: str) -> None:
    """Report progress or a finding on standard error, control characters escaped except line ends and tabs."""
    click.echo("\n".join("\t".join(map(escape, line.split("\t"))) for line in message.split("\n")), err=True)


def counted(count: int, one: str, many: str) -> str:
    """A number with what it counts, such as "1 class" and "7 classes"."""
    return f"{count} {one if count == 1 else many}"


class FiniteRange(click.FloatRange):
    """A number within bounds, as `click.FloatRange`, which lets "nan" through: every comparison with it is False."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number and refuse what is none."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number", param, ctx)
        return number


class SectionOption(click.Option):
    """An option that the help shows under a heading of its own; see `section`."""

    def __init__(self, *args: Any, section: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.section = section


def section(title: str) -> Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]]:
    """Give a `click.option` whose options stand under `title` in the help: a long list is read by its headings."""
    return functools.partial(click.option, cls=SectionOption, section=title)


class _Contract(click.Command):
    """A command whose `main` keeps the table of this module."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        settings["context_settings"] = CONTEXT_SETTINGS | (settings.get("context_settings") or {})
        super().__init__(*args, **settings)
        version = click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_print_version,
            help="Show the version and exit.",
        )
        self.params = [*self.params, version]
        for param in self.params:
            if isinstance(param, click.Option) and isinstance(param.type, (click.IntRange, click.FloatRange)):
                param.metavar = param.metavar or ("N" if isinstance(param.type, click.IntRange) else "X")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under the headings of their sections, in the order in which these first appear."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):  # arguments stand in the line of usage
                title = param.section if isinstance(param, SectionOption) else "Options"
                sections.setdefault(title, []).append(record)
        fitting = [len(term) for records in sections.values() for term, _ in records if len(term) <= TERM_WIDTH]
        for title, records in sections.items():
            with formatter.section(title):  # one column for all: click would give every section its own
                formatter.write_dl([(term.ljust(max(fitting)), text) for term, text in records], col_max=TERM_WIDTH)
        if isinstance(self, click.Group):
            self.format_commands(ctx, formatter)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command and exit with a code of the table; with `standalone_mode=False` click's own behaviour."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        _print_any_character()
        with _signals():
            try:
                result = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
                if sys.stdout is not None:  # it is where whoever started us closed it
                    sys.stdout.flush()  # a full disk behind `>` shows here, not as noise at the interpreter's end
            except Exception as error:  # the one place that turns errors into exit codes
                _end(error, prog_name or self.name or Path(sys.argv[0]).name)
            except Stopped as stopped:
                _silence(sys.stdout)
                sys.exit(stopped.exit_code)
        # click returns what `ctx.exit(code)` was given; commands themselves return None
        sys.exit(result if isinstance(result, int) else 0)


class SketchCommand(_Contract):
    """A console command, or one of a `SketchGroup`; use it as ``@click.command("sketch-draw", cls=SketchCommand)``."""


class SketchGroup(_Contract, click.Group):
    """A console command that has commands of its own, made with ``@group.command("name")``."""

    command_class = SketchCommand

    def __init__(self, *args: Any, **settings: Any) -> None:
        settings.setdefault("no_args_is_help", False)  # the help is no error line
        super().__init__(*args, **settings)


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(f"{context.find_root().command_path} {VERSION}")
        context.exit()


def _print_any_character() -> None:
    """Let a name that the terminal's encoding lacks be written as an escape instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            with contextlib.suppress(ValueError, OSError):
                stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into `Stopped` while the command runs, unless the caller had them ignored (nohup)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number, handler in before.items():
            if handler == signal.SIG_DFL:
                signal.signal(number, _stop)
        yield
    finally:
        for number, handler in before.items():
            if handler == signal.SIG_DFL:
                signal.signal(number, handler)


def _stop(number: int, _: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)  # a second one must not cut the cleaning up short
    raise Stopped(number)


def _end(error: Exception, program: str) -> NoReturn:
    """Print the one line that `error` deserves and exit with its code."""
    if os.environ.get("SKETCH_DEBUG", "") not in ("", "0"):
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, click.Abort):
        if not isinstance(error.__cause__, EOFError):
            _silence(sys.stdout)
            sys.exit(130)
        error = error.__cause__
    if isinstance(error, BrokenPipeError):
        _silence(sys.stdout)
        sys.exit(1)
    message, code = _describe(error, program)
    message = message if len(message) <= LONGEST_MESSAGE else f"{message[:LONGEST_MESSAGE]}..."
    with contextlib.suppress(OSError):  # nobody reads standard error: the exit code still tells
        click.echo(f"error: {escape(message)}", err=True)
    if isinstance(error, OSError):
        _silence(sys.stdout)
    sys.exit(code)


def _describe(error: Exception, program: str) -> tuple[str, int]:
    """Message and exit code of an error."""
    match error:
        case SketchError():
            return str(error), error.exit_code
        case click.UsageError():
            return _describe_usage(error, program), 2
        case click.FileError():
            return f"{error.ui_filename}: cannot be opened ({error.message}); check the name", 2
        case click.ClickException():
            return _one_line(error.format_message()), error.exit_code
        case ImportError():
            return _describe_import(error, program), 1
        case MemoryError():
            return f"{program}: not enough memory; close other programs or give it less work", 1
        case OSError():
            where = error.filename if error.filename is not None else program
            where = os.fsdecode(where) if isinstance(where, (bytes, os.PathLike)) else str(where)
            if error.errno == errno.ENAMETOOLONG:
                return f"{where[:80]}...: is too long for a file name; choose a shorter one", 2
            return (
                f"{where}: {error.strerror or error or type(error).__name__}; check the disk, the link and the rights",
                1,
            )
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = f" at {Path(last[0].filename).name}:{last[0].lineno}" if last else ""
    return (
        f"{program}: a fault of the program, {type(error).__name__}{place} ({error}); "
        "run again with SKETCH_DEBUG=1 and report what it prints"
    ), 1


def _describe_usage(error: click.UsageError, program: str) -> str:
    """Say what is wrong with the command line: ``--option: what is wrong; try 'sketch-draw --help'``."""
    command = error.ctx.command_path if error.ctx is not None else program
    where, what = command, _one_line(error.message)
    match error:
        case click.MissingParameter():
            where, what = _parameter_name(error, command), "missing"
            if error.param is not None and isinstance(error.param.type, click.Choice):
                what += f" (expected one of {', '.join(map(str, error.param.type.choices))})"
        case click.BadParameter():
            where = _parameter_name(error, command)
            what = re.sub(r"is not a valid (integer|float)( range)?", lambda found: f"is {_NUMBERS[found[1]]}", what)
        case click.NoSuchOption():
            where, what = error.option_name, "no such option"
        case click.BadOptionUsage():
            where = error.option_name
            what = what.removeprefix(f"Option {where!r} ")
    nearest = list(getattr(error, "possibilities", None) or [])
    if nearest:
        what += f" (the nearest: {', '.join(nearest)})"
    what = what.rstrip(".")
    return f"{where}: {what[:1].lower()}{what[1:]}; try '{command} --help'"


def _parameter_name(error: click.BadParameter, command: str) -> str:
    """Name the option by its long form, an argument by the name that the help shows."""
    if isinstance(error.param_hint, str):
        return error.param_hint.strip("'")
    if error.param_hint is not None:
        return " / ".join(error.param_hint)
    if isinstance(error.param, click.Option):
        return max(error.param.opts, key=len)
    if error.param is not None:
        return error.param.human_readable_name
    return command


def _describe_import(error: ImportError, program: str) -> str:
    """Name the package that is missing and the command that installs it."""
    package = (error.name or "").split(".")[0]
    command = program.split(" ")[0]
    if isinstance(error, ModuleNotFoundError) and package in _BRINGS:
        wanted = _EXPORT if package == "torch" and "export" in command else _BRINGS[package]
        return f"{command}: needs {package}; pip install {wanted}"
    if package in _BASE:
        return f"{command}: {package} cannot be loaded ({error}); pip install --force-reinstall {_BASE[package]}"
    return f"{command}: {package or 'a package'} cannot be loaded ({error}); install it again"


def _one_line(text: str) -> str:
    """Join what click wraps over several lines."""
    return re.sub(r"\s*\n\s*", " ", text).strip()


def _silence(stream: Any) -> None:
    """Point a stream whose reader is gone at nothing: the interpreter flushes it once more when it ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        stream.flush()
        return
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
