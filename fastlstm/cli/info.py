"""`fastlstm info`."""

from __future__ import annotations

import platform
from collections.abc import Iterator

import click


@click.command()
@click.option("--plan", "layer", metavar="LAYER", help="How calls of a layer, 'LSTM(64, 256)' or "
              "'quantize(LSTM(64, 256))', would be run.")  # fmt: skip
@click.option("--input", "shape", metavar="SIZES", help="With --plan: shape of the input, such as 128,8,64.")
@click.option("--train", is_flag=True, help="With --plan: in training mode.")
@click.option("--threads", type=click.IntRange(1, 4096), help="With --plan: as if this many were granted.")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32", help="With --plan.")
def info(layer: str | None, shape: str | None, train: bool, threads: int | None, dtype: str) -> None:
    """Show versions, CPU, threads, and which backend serves what, and why not the others. Made for bug reports.

    With --plan, show what the planner would decide about a call, and why. Nothing is compiled or run for that.
    """
    if layer is None and (shape or train or threads):
        raise click.UsageError("--input, --train and --threads go with --plan")
    _show(_sections() if layer is None else _plan(layer, shape, train, threads, dtype))


def _show(sections: Iterator[tuple[str, list[str]]]) -> None:
    for title, lines in sections:
        for label, line in zip([title] + [""] * len(lines), lines, strict=False):
            click.echo(f"{label:<10}{line}")


def _plan(
    layer: str, shape: str | None, train: bool, threads: int | None, dtype: str
) -> Iterator[tuple[str, list[str]]]:
    import numpy as np
    from fastlstm_lint import explain
    from fastlstm_lint.contract import Cell

    from fastlstm import get_num_threads
    from fastlstm import info as found
    from fastlstm.cli.own import layers

    if shape is None:
        raise click.UsageError("--plan needs the shape of the input: --input T,B,I")
    try:
        config = explain.parse(layer, layers)
        weights = explain.read(layer, layers).weights
        T, B = explain.parse_input(shape, config)
    except explain.LayerSyntaxError as error:
        raise click.UsageError(str(error)) from None
    if isinstance(config, Cell):
        config, T = config.layer(), 1
    if weights is not None and (train or dtype != "float32"):
        raise click.UsageError("a quantized layer is for inference, and computes in float32")
    yield "plan", [layer]
    try:
        yield from found.plan_lines(
            config, T or 0, 1 if B is None else B, threads or get_num_threads(), np.dtype(dtype), train, weights
        )
    except (MemoryError, OverflowError) as error:
        raise click.UsageError(f"a call of these sizes has no room in any memory: {error}") from None


def _sections() -> Iterator[tuple[str, list[str]]]:
    from fastlstm import info as found

    python = f"{platform.python_version()} {platform.python_implementation()}, {platform.system()} {platform.machine()}"
    versions = found.versions()
    yield "fastlstm", [versions.pop("fastlstm")]
    yield "python", [python]
    yield "installed", [", ".join(f"{name} {version}" for name, version in versions.items())]
    yield "not there", [f"{name} ({use})" for name, use in found.missing().items()]
    yield "cpu", [found.cpu_name(), "vector features: " + (" ".join(found.cpu_features()) or "none known")]
    yield "threads", [_threads()]
    width = max(len(backend.name) for backend in found.backends())
    yield (
        "backends",
        [f"{backend.name:<{width}}  {backend.serves or 'no: ' + str(backend.reason)}" for backend in found.backends()],
    )
    yield "code kept", list(_store())


def _store() -> Iterator[str]:
    from fastlstm.compiled.listing import listing

    for found in listing():
        yield f"{found.place.folder}" + (f": {found.reason}" if found.reason else "")
        if found.size:
            here = f"{len(found.serves)} files for this version and machine"
            yield f"  {here}, {found.others} for others, {found.size >> 10} KB"
        if found.serves:
            yield f"  {', '.join(sorted(found.serves))}"
        yield from (f"  of no use: {name}" for name in found.bad)


def _threads() -> str:
    from fastlstm.engine.pool import cores, get_num_threads

    try:
        used = f"{get_num_threads()} used"
    except ValueError as error:  # of the environment variable: what every call would say
        used = f"none: {error}"
    return f"{used}; {cores()} cores granted by the affinity mask and the control group"
