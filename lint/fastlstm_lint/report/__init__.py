"""Output formats: each takes the findings and the sources they are in, and returns the text to print."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..finding import Finding
from . import as_concise, as_github, as_gitlab, as_json, as_junit, as_sarif, as_text
from .as_text import summary
from .statistics import render as statistics

Sources = Mapping[str, str]
Format = Callable[[Sequence[Finding], Sources], str]

FORMATS: dict[str, Format] = {
    "text": as_text.render,
    "concise": as_concise.render,
    "json": as_json.render,
    "github": as_github.render,
    "gitlab": as_gitlab.render,
    "sarif": as_sarif.render,
    "junit": as_junit.render,
}

__all__ = ["FORMATS", "statistics", "summary"]
