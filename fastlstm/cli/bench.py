"""`fastlstm bench`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from fastlstm.bench.result import Result
    from fastlstm.bench.workload import Workload

ROUNDS, MOST_ROUNDS = 5, 20
MODES = ("infer", "train", "packed", "reset", "cells", "cells-train", "model")
A_FEW = ("vad-stream", "rl-rollout", "ocr-line", "speaker-embed", "forecast-small", "word-lm")
"""What runs when nothing is named: about a minute."""
A_FEW_BUSY = ("long-single", "short-batch", "rl-rollout")
"""The same with --busy: a step for every wake-up, and single steps."""


class Percent(click.ParamType):
    """A share written as `10%` or `0.1`."""

    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(str(value).removesuffix("%")) / (100 if str(value).endswith("%") else 1)
        except ValueError:
            self.fail(f"{value!r} is not a share such as 10%", param, ctx)
        if not 0 <= number < float("inf"):
            self.fail(f"{value!r} is out of range", param, ctx)
        return number


class CellName(click.ParamType):
    """LSTM, GRU or RNN, or `module:name` of a cell of one's own."""

    name = "cell"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from fastlstm.bench.own_cell import find, is_own

        if is_own(value):
            try:
                find(value)
            except ValueError as error:
                self.fail(str(error), param, ctx)
        elif value not in ("LSTM", "GRU", "RNN"):
            self.fail(f"{value!r} is none of LSTM, GRU, RNN, and no module:name of a cell of your own", param, ctx)
        return str(value)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]... | all")
@click.option("--cell", "cells", type=CellName(), multiple=True, metavar="CELL", help="Of your own sizes: LSTM, GRU, "
              "RNN, or module:name of a cell of your own (repeat).")  # fmt: skip
@click.option("--mode", type=click.Choice(MODES), default="infer", show_default=True, help="The same.")
@click.option("--steps", "T", type=click.IntRange(1), help="T, time steps. With this one, your own sizes are run; 100 "
              "where a cell of your own is.")  # fmt: skip
@click.option("--batch", "B", type=click.IntRange(1), default=1, show_default=True, help="B.")
@click.option("--input", "I", type=click.IntRange(1), default=128, show_default=True, help="I, input_size.")
@click.option("--hidden", "H", type=click.IntRange(1), default=128, show_default=True, help="H, hidden_size.")
@click.option("--layers", "L", type=click.IntRange(1), default=1, show_default=True, help="L.")
@click.option("--bidirectional", is_flag=True, help="Both directions.")
@click.option("--vocabulary", "V", type=click.IntRange(1), help="V, number of tokens; with --mode model.")
@click.option("--heads", "N", type=click.IntRange(1), default=1, help="N, of a cell of your own that has heads.")
@click.option("--same-step", is_flag=True, help="Its step inputs are (B, H), the same at every step.")
@click.option("--weights", type=click.Choice(["int8", "float16"]), help="Of rows in mode infer, "
              "rounded to these where a library can; errors are shown.")  # fmt: skip
@click.option("--through", type=click.Choice(["torch"]), help="Measure fastlstm.torch instead of the array layers.")
@click.option("--library", "libraries", multiple=True, help="Measure only these (repeat); fastlstm is always in.")
@click.option("--threads", type=click.IntRange(1), help="Threads for every library.  [default: all CPUs usable]")
@click.option("--scaling", is_flag=True, help="Time fastlstm with one thread too.")
@click.option("--busy", is_flag=True, help="Time every row beside another busy process too.")
@click.option("--rounds", type=click.IntRange(1), help="Turns that each library gets.  [default: 5, and up to 20 until "
              "the best three lie within 5 %]")  # fmt: skip
@click.option("--seconds", type=click.FloatRange(0), default=0.15, show_default=True, help="Length of a turn, roughly.")
@click.option("--start-up/--no-start-up", default=None, help="Time new processes too, with and without compiled code "
              "that was kept: once by default; with --start-up and no NAME only that, the best of five.")  # fmt: skip
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True), help="Store it.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw it: FILE.svg or FILE.png.")
@click.option("--compare", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="An older --json file.")
@click.option("--fail-if-slower", type=Percent(), help="With --compare: exit 1 if a row is slower by more, e.g. 10%.")
@click.option("--list", "listed", is_flag=True, help="List the workloads and where their sizes come from.")
def bench(
    names: tuple[str, ...],
    cells: tuple[str, ...],
    mode: str,
    T: int | None,
    B: int,
    I: int,
    H: int,
    L: int,
    bidirectional: bool,
    V: int | None,
    N: int,
    same_step: bool,
    weights: str | None,
    through: str | None,
    libraries: tuple[str, ...],
    threads: int | None,
    scaling: bool,
    busy: bool,
    rounds: int | None,
    seconds: float,
    start_up: bool | None,
    json_file: Path | None,
    plot: Path | None,
    compare: Path | None,
    fail_if_slower: float | None,
    listed: bool,
) -> None:
    """Time fastlstm beside torch, onnxruntime, openvino and jax, whichever are installed.

    NAME is a workload of --list, or all; without a name a few are run, and with --steps your own sizes. Each library
    runs in its own process, by turns, and only after its results have been checked against the reference. With
    --through torch this library's torch modules are timed beside torch's own; mode model, a whole training step from
    tokens to Adam, and mode cells-train, a loop over cells with its backward, are timed only so. With --busy each turn
    is followed by one beside another busy process.

    A cell of your own is timed beside the same step in torch, looped over time and that step under torch.compile, and
    in jax.lax.scan: its expressions with these libraries' functions.
    """
    from fastlstm.bench import driver, result, startup, table, workload
    from fastlstm.bench.libraries import NAMES, OF_OWN_CELLS, THROUGH
    from fastlstm.bench.own_cell import is_own
    from fastlstm.engine.pool import cores

    known = workload.load()
    if listed:
        for entry in known.values():
            assumed = f" (assumed: {entry.assumed})" if entry.assumed else ""
            click.echo(f"{entry.name:<20}{entry.mode:<13}{table.sizes(entry):<30}{entry.source}{assumed}")
        return
    for name in libraries:
        if name not in (*NAMES, *OF_OWN_CELLS):
            there = ", ".join(dict.fromkeys((*NAMES, *OF_OWN_CELLS)))
            raise click.BadParameter(f"{name!r} is none of {there}", param_hint="--library")
    if fail_if_slower is not None and compare is None:
        raise click.UsageError("--fail-if-slower needs --compare")
    served = {name: entry for name, entry in known.items() if through or not entry.needs_torch}
    own = [cell for cell in cells if is_own(cell)]
    only_start_up = bool(start_up) and not names and T is None
    asked_for = () if T is not None or own or only_start_up else A_FEW_BUSY if busy else A_FEW
    chosen = _chosen(names, known, served, asked_for)
    for cell in (cells or ("LSTM",)) if T is not None else () if only_start_up else own:
        try:
            sizes = T or 100, B, _input_size(cell, I, H), H, L, 2 if bidirectional else 1, V or 0
            name = cell.partition(":")[2] or "own sizes"
            chosen.append(workload.Workload(name, cell, mode, *sizes, N, same_step))
        except ValueError as error:
            raise click.UsageError(str(error)) from None
    if weights is not None:
        if through is not None or own or any(entry.mode != "infer" for entry in chosen if names != ("all",) and names):
            raise click.UsageError("--weights is for rows in mode infer, of LSTM, GRU and RNN on arrays")
        chosen = [replace(entry, weights=weights) for entry in chosen if entry.mode == "infer"]
    if through is None and any(entry.needs_torch for entry in chosen):
        raise click.UsageError("a whole model, or the training of a loop over cells, is timed with --through torch")
    served_by = dict.fromkeys(OF_OWN_CELLS if len(own) == len(chosen) else (*NAMES, *OF_OWN_CELLS) if own else NAMES)
    asked = libraries or ((through,) if through else served_by)
    wanted = [name for name in served_by if name in asked or name == result.OURS]
    try:
        old = result.load(compare) if compare else None
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--compare") from None

    turns = rounds or ROUNDS
    count = driver.steps(chosen, wanted, turns, scaling)
    with click.progressbar(length=count, file=sys.stderr, item_show_func=lambda what: what or "") as bar:
        found = driver.run(
            chosen,
            wanted,
            threads or cores(),
            turns,
            seconds,
            lambda what: bar.update(1, what),
            through or "",
            scaling,
            busy,
            turns if rounds else MOST_ROUNDS,
        )
    if start_up is not False:
        starts = startup.ROUNDS if only_start_up else 1
        ours = [THROUGH[through]] if through else [result.OURS]
        if only_start_up and "torch" in found.versions and not own:
            ours = list(dict.fromkeys((*ours, THROUGH["torch"])))
        found.start_up = [
            startup.measure(library, cold, cell, 1 if cold else starts)
            for library in ours
            for cell in own or ("",)
            for cold in (True, False)
        ]
        if "torch" in found.versions and not own:
            found.start_up.append(startup.measure("torch", rounds=starts))
    _show(found, json_file, plot)
    if old is not None and _slower(old, found, fail_if_slower):
        raise SystemExit(1)


def _input_size(cell: str, I: int, H: int) -> int:
    """I; G*H where the input holds the gates."""
    from fastlstm.bench.own_cell import find, is_own

    card = find(cell) if is_own(cell) else None
    return len(card.gates) * H if card is not None and card.input == "none" else I


def _chosen(
    names: tuple[str, ...], known: dict[str, Workload], served: dict[str, Workload], few: tuple[str, ...]
) -> list[Workload]:
    if names == ("all",):
        return list(served.values())
    unknown = [name for name in names if name not in known]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is no workload; fastlstm bench --list shows them", param_hint="NAME")
    return [known[name] for name in names or few]


def _show(found: Result, json_file: Path | None, plot: Path | None) -> None:
    from fastlstm.bench import table

    if json_file is not None and str(json_file) == "-":
        click.echo(found.to_json(), nl=False)
    else:
        click.echo(table.render(found))
        if json_file is not None:
            json_file.write_text(found.to_json(), encoding="utf-8")
    if plot is not None:
        from fastlstm.bench.plot import draw

        draw(found, plot)


def _slower(old: Result, new: Result, allowed: float | None) -> bool:
    """Say what changed; whether a row became slower by more than `allowed`."""
    from fastlstm.bench.compare import changes, differences

    for difference in differences(old, new):
        click.echo(f"Beware: the older run was {difference}", err=True)
    found = changes(old, new)
    if not found:
        raise click.UsageError("the older run holds none of these rows")
    too_slow = [change for change in found if allowed is not None and change.relative > allowed]
    for change in found:
        click.echo(f"{'SLOWER ' if change in too_slow else ''}{change}", err=True)
    return bool(too_slow)
