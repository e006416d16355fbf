"""A rule in words, and the rules that a pasted torch error message points to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..causes import CAUSES, SUMMARIES, find

CODE = re.compile(r"FL\d{3}", re.IGNORECASE)

HEADS = {"en": ("Cause:   ", "Change:  ", "Rule:    ", ": "), "zh": ("原因：", "改法：", "规则：", "：")}
"""What stands before each line of an explanation, by language."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an error message means, in one language, and the codes of the rules that find its cause."""

    cause: str
    change: str
    rules: tuple[str, ...]

    def lines(self, lang: str = "en") -> Iterator[str]:
        """As text: the cause, the change, and each rule with its summary."""
        cause, change, _, _ = HEADS[lang]
        yield f"{cause}{self.cause}"
        yield f"{change}{self.change}"
        yield from rule_lines(self.rules, lang)


def rule_lines(codes: Iterable[str], lang: str = "en") -> Iterator[str]:
    """Each rule by its code and name, with what it finds."""
    from ..rules import by_code

    rules = by_code()
    _, _, head, colon = HEADS[lang]
    for code in codes:
        if code in rules:
            summary = SUMMARIES.get(code, rules[code].summary) if lang == "zh" else rules[code].summary
            yield f"{head}{code} {rules[code].name}{colon}{summary}"


def explain(text: str, lang: str = "en") -> str | None:
    """The page of the rule that `text` names, or what the torch error in it means; None for anything else."""
    return explain_code(text) or explain_error(text, lang)


def explain_code(text: str) -> str | None:
    """The page of a rule, by its code or its name (`state-batch-first`, also with blanks); None if there is none."""
    from ..config import codes_by_name
    from ..pages import page

    asked = text.strip()
    named = codes_by_name()
    code = asked.upper() if CODE.fullmatch(asked) else named.get(re.sub(r"[\s_]+", "-", asked.lower()))
    return page(code).rstrip("\n") if code is not None and code in named.values() else None


def explain_error(text: str, lang: str = "en") -> str | None:
    """What a torch error message means for recurrent code; None when it is not one that is known."""
    told = understand(text, lang)
    return None if told is None else "\n".join(told.lines(lang))


def understand(text: str, lang: str = "en") -> Told | None:
    """The cause and change that a torch error message, or a traceback that ends with one, stands for."""
    found = find(text, CAUSES)
    if found is None:
        return None
    cause, groups = found
    words, change = cause.texts[lang]
    return Told(_filled(words, groups), _filled(change, groups), cause.rules)


def _filled(text: str, groups: dict[str, str]) -> str:
    """`text` with the numbers of the message in it; braces that name no group stand for themselves."""
    return re.sub(r"\{(\w+)\}", lambda match: groups.get(match[1], match[0]), text)
