"""Output formats: each takes the findings and returns the text to print."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..finding import Finding
from . import as_json, as_text

Sources = Mapping[str, str]
Format = Callable[[Sequence[Finding], Sources], str]

FORMATS: dict[str, Format] = {
    "text": as_text.render,
    "json": as_json.render,
}
