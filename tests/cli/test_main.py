"""The command itself: what it lists, how it starts, and what it must not load for that."""

from __future__ import annotations

import importlib
import json
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from fastlstm_lint.cli import main as lint_main

from fastlstm.cli import COMMANDS, main

SHOW_MODULES = """
import json, sys
from fastlstm.cli import main
try:
    main({arguments!r}, prog_name="fastlstm")
finally:
    print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def test_help_lists_every_command() -> None:
    shown = CliRunner().invoke(main, ["--help"])
    assert shown.exit_code == 0
    listed = [line.split()[0] for line in shown.output.partition("Commands:")[2].splitlines() if line.strip()]
    assert listed == list(COMMANDS)


@pytest.mark.parametrize("command", [main, lint_main])
def test_alone_it_helps(command: click.Command) -> None:
    alone = CliRunner().invoke(command, [])
    assert (alone.exit_code, alone.output) == (0, CliRunner().invoke(command, ["--help"]).output)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_exists_and_helps(name: str) -> None:
    module, _, attribute = COMMANDS[name][0].partition(":")
    command = getattr(importlib.import_module(module), attribute)
    assert isinstance(command, click.Command)
    shown = CliRunner().invoke(main, [name, "--help"])
    assert shown.exit_code == 0
    assert shown.output.startswith(f"Usage: fastlstm {name} ")


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_loads_nothing_heavy(python, arguments: list[str]) -> None:  # type: ignore[no-untyped-def]
    """What keeps start-up under 0.3 s: no numba, numpy or torch for any help text."""
    done = python("-c", SHOW_MODULES.format(arguments=arguments))
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert loaded & {"numba", "numpy", "torch", "matplotlib"} == set()


def test_the_check_above_sees_a_heavy_import(python) -> None:  # type: ignore[no-untyped-def]
    done = python("-c", "import numpy\n" + SHOW_MODULES.format(arguments=["--help"]))
    assert "numpy" in json.loads(done.stderr.splitlines()[-1])


def test_python_dash_m_is_the_command(python) -> None:  # type: ignore[no-untyped-def]
    by_module = python("-m", "fastlstm", "--help")
    assert by_module.returncode == 0
    assert by_module.stdout.startswith("Usage: fastlstm ")


def test_the_installed_script_and_its_version(python) -> None:  # type: ignore[no-untyped-def]
    script = Path(sys.executable).with_name("fastlstm")
    done = python(str(script), "--version")
    assert done.stdout.strip() == f"fastlstm, version {version('fastlstm')}"


def test_an_unknown_command_is_misuse() -> None:
    shown = CliRunner().invoke(main, ["lnit"])
    assert shown.exit_code == 2
    assert "lnit" in shown.output
