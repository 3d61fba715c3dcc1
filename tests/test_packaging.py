"""The package map, the import contract, and a wheel that draws with no other file."""

import importlib.util
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("train", "export", "runtime", "cli", "models")


@pytest.fixture(scope="module")
def settings():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_package_of_the_tree_is_listed(settings):
    """A new sub-folder with an __init__.py that nobody listed would be missing from the wheel."""
    found = {"sketch_edge"}
    for folder in FOLDERS:
        for init in (ROOT / folder).rglob("__init__.py"):
            found.add(".".join(("sketch_edge", *init.parent.relative_to(ROOT).parts)))
    assert set(settings["tool"]["setuptools"]["packages"]) == found
    assert set(settings["tool"]["setuptools"]["package-dir"]) == found


def test_package_folders_are_where_the_map_says(settings):
    """The map leads to folders that exist, and nowhere else."""
    for name, folder in settings["tool"]["setuptools"]["package-dir"].items():
        assert (ROOT / folder / "__init__.py").is_file(), name


def test_links_for_type_checkers_and_editable_installs():
    """sketch_edge/ holds one link to each folder."""
    for folder in FOLDERS:
        link = ROOT / "sketch_edge" / folder
        assert link.is_symlink(), folder
        assert link.resolve() == ROOT / folder


def test_run_time_dependencies_stay_light(settings):
    """Five packages; torch and onnx only in extras."""
    names = {requirement.split(">")[0] for requirement in settings["project"]["dependencies"]}
    assert names == {"numpy", "onnxruntime", "click", "pillow"}


@pytest.mark.parametrize(
    ("machine", "platform", "version", "implementation", "wanted"),
    [
        ("x86_64", "linux", "3.11", "CPython", True),
        ("aarch64", "linux", "3.13", "CPython", True),  # 64-bit Raspberry Pi OS
        ("arm64", "darwin", "3.14", "CPython", True),
        ("AMD64", "win32", "3.12", "CPython", True),
        ("armv7l", "linux", "3.13", "CPython", False),  # 32-bit Raspberry Pi OS
        ("armv8l", "linux", "3.13", "CPython", False),  # the same on a 64-bit kernel, under linux32
        ("riscv64", "linux", "3.13", "CPython", False),
        ("x86_64", "darwin", "3.14", "CPython", False),
        ("x86_64", "linux", "3.15", "CPython", False),
        ("x86_64", "linux", "3.11", "PyPy", False),
    ],
)
def test_onnxruntime_is_asked_for_where_it_has_wheels(settings, machine, platform, version, implementation, wanted):
    """Anywhere else pip would refuse to install us, though numpy alone can draw."""
    requirements = pytest.importorskip("packaging.requirements")
    found = [requirements.Requirement(each) for each in settings["project"]["dependencies"]]
    (marker,) = [each.marker for each in found if each.name == "onnxruntime"]
    names = ("platform_machine", "sys_platform", "python_version", "platform_python_implementation")
    values = (machine, platform, version, implementation)
    assert marker.evaluate(dict(zip(names, values, strict=True))) is wanted


@pytest.mark.skipif(importlib.util.find_spec("importlinter") is None, reason="import-linter is not installed")
def test_import_contract():
    """cli > export > train > runtime, and no torch, onnx or click in the run-time."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", ["sketch_edge", "sketch_edge.runtime.artist", "sketch_edge.cli.draw"])
def test_importing_is_light(module):
    """No training framework is imported, and onnxruntime and Pillow only when they are used."""
    heavy = ("torch", "onnx", "onnxruntime", "PIL", "matplotlib")
    code = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_train_package_needs_torch_only_where_it_trains():
    """Data can be fetched and prepared without torch."""
    code = "import sys, sketch_edge.cli.data, sketch_edge.train.prepare; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.skipif(importlib.util.find_spec("setuptools") is None, reason="setuptools is not installed")
def test_wheel_draws_with_no_other_file(tmp_path):
    """Built and unpacked elsewhere, the wheel holds the shipped bundle and draws a star with it, without torch."""
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    source = tmp_path / "source"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(source)], check=True)
    done = subprocess.run([*build, "--wheel-dir", str(tmp_path), str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    wheel = next(tmp_path.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import sketch_edge; assert sketch_edge.__file__.startswith(sys.argv[1]), sketch_edge.__file__\n"
        "sketch_edge.load().draw('star', seed=7).save('star.svg')\n"
        "assert not {'torch', 'onnx', 'click'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "site")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "star.svg").read_text().startswith("<?xml")
