"""A rule in words, and the rules that a pasted torch error message points to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .causes import CAUSES, Cause

CODE = re.compile(r"FL\d{3}", re.IGNORECASE)


def explain(text: str) -> str | None:
    """The page of the rule that `text` names, or what the torch error in it means; None for anything else."""
    if CODE.fullmatch(text.strip()):
        return explain_code(text.strip().upper())
    return explain_error(text)


def explain_code(code: str) -> str | None:
    """The page of a rule, as text; None for an unknown code."""
    from .config import OWN_CODES
    from .pages import rule_page
    from .rules import by_code

    if code in OWN_CODES:
        name, summary = OWN_CODES[code]
        return f"{code} {name}\n\n{summary[0].upper()}{summary[1:]}."
    rule = by_code().get(code)
    return None if rule is None else rule_page(rule).rstrip("\n")


def explain_error(text: str) -> str | None:
    """What a torch error message means for recurrent code; None when it is not one that is known."""
    # A message pasted from a terminal is broken at any blank.
    joined = " ".join(text.split())
    for cause in CAUSES:
        match = cause.pattern.search(joined)
        if match is not None:
            return "\n".join(_told(cause, match.groupdict()))
    return None


def _told(cause: Cause, groups: dict[str, str]) -> Iterator[str]:
    from .rules import by_code

    rules = by_code()
    yield f"Cause:   {_filled(cause.cause, groups)}"
    yield f"Change:  {_filled(cause.change, groups)}"
    yield from (f"Rule:    {code} {rules[code].name}: {rules[code].summary}" for code in cause.rules if code in rules)


def _filled(text: str, groups: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: groups[match[1]], text)
