"""A rule as the page shows it, in either language. Reasons and examples are in English: they are the rule's own."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import dedent
from typing import Any

from ..causes import SUMMARIES
from ..explain.words import Lang
from ..pages import TORCH_SAYS, sentence
from ..rules.base import Rule

TORCH_SAYS_ZH = {
    "silent": "torch 什么也不说：程序照常运行，算的却是别的东西。",
    "crash": "程序运行时 torch 会报错。",
    "warns": "torch 会给出警告。",
    "slow": "这是关于速度的建议：程序没有错。",
}


def rule_words(rule: Rule, lang: Lang) -> dict[str, Any]:
    """What the rule finds, what torch does, why it matters, and an example, wrong and right."""
    summary = SUMMARIES.get(rule.code) if lang == "zh" else None
    return {
        "code": rule.code,
        "name": rule.name,
        "summary": sentence(rule.summary) if summary is None else f"{summary}。",
        "torch": (TORCH_SAYS if lang == "en" else TORCH_SAYS_ZH)[rule.torch],
        "why": list(blocks(rule.explanation)),
        "wrong": rule.wrong.strip(),
        "right": rule.right.strip(),
    }


def blocks(text: str) -> Iterator[dict[str, str]]:
    """The paragraphs of an explanation, each as one line, and its drawings, which are indented, as they are."""
    for part in text.strip("\n").split("\n\n"):
        if part.startswith("    "):
            yield {"drawing": dedent(part)}
        else:
            yield {"text": " ".join(part.split())}
