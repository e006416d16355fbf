"""`fastlstm info`."""

from __future__ import annotations

import platform
from collections.abc import Iterator

import click


@click.command()
def info() -> None:
    """Show versions, CPU, threads, and which backend serves what, and why not the others. Made for bug reports."""
    for title, lines in _sections():
        for label, line in zip([title] + [""] * len(lines), lines, strict=False):
            click.echo(f"{label:<10}{line}")


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


def _threads() -> str:
    from fastlstm.engine.pool import cores, get_num_threads

    return f"{get_num_threads()} used; {cores()} cores granted by the affinity mask and the control group"
