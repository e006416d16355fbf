"""The rule pages in docs/rules, written from the rule files: `python -m fastlstm_lint.pages docs/rules`."""

from __future__ import annotations

import sys
from pathlib import Path

from .config import OWN_CODES
from .finding import page_of
from .rules import by_code, load_rules
from .rules.base import Rule

TORCH_SAYS = {
    "silent": "torch says nothing: the program runs and computes something else.",
    "crash": "torch raises when the program runs.",
    "warns": "torch prints a warning.",
    "slow": "Advice on speed: the program is right.",
}


def sentence(words: str) -> str:
    """A summary with a capital and a full stop; what is code at its beginning, `h_n[0]`, stays as it is written."""
    is_word = words.partition(" ")[0].isalpha()
    return f"{words[0].upper() if is_word else words[0]}{words[1:]}."


def rule_page(rule: Rule) -> str:
    """The page of one rule."""
    parts = [f"# {rule.code} {rule.name}", sentence(rule.summary), TORCH_SAYS[rule.torch]]
    notes = []
    if not rule.default:
        notes.append(f"Off unless selected: `fastlstm lint --extend-select {rule.code}`.")
    if rule.fixable:
        option = "--fix" if rule.fixable == "safe" else "--fix --unsafe-fixes"
        notes.append(f"`fastlstm lint {option}` changes it.")
    else:
        notes.append(f"No fix: {rule.unfixable[0].lower()}{rule.unfixable[1:]}")
    if notes:
        parts.append(" ".join(notes))
    parts += [
        "## Why",
        rule.explanation.strip("\n"),
        "## Wrong",
        f"```python\n{rule.wrong.strip()}\n```",
        "## Right",
        f"```python\n{rule.right.strip()}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def index_page(rules: tuple[Rule, ...]) -> str:
    """The table of all rules."""
    lines = ["# Rules", "", "| code | name | what it finds | torch | fix |", "|---|---|---|---|---|"]
    for rule in rules:
        torch = rule.torch if rule.default else f"{rule.torch}, off"
        link = f"[{rule.code}]({rule.code}.md)"
        lines.append(f"| {link} | {rule.name} | {rule.summary} | {torch} | {rule.fixable or '-'} |")
    own = "; ".join(f"[{code}]({code}.md) {name}: {summary}" for code, (name, summary) in OWN_CODES.items())
    lines += ["", f"The linter's own: {own}."]
    return "\n".join(lines) + "\n"


def own_page(code: str) -> str:
    """The page of a diagnostic of the engine."""
    name, summary = OWN_CODES[code]
    return f"# {code} {name}\n\n{sentence(summary)}\n"


def page(code: str) -> str:
    """The page of a rule or of a diagnostic of the engine."""
    return own_page(code) if code in OWN_CODES else rule_page(by_code()[code])


def summary(code: str) -> str:
    """What a code stands for, in a sentence."""
    return sentence(OWN_CODES[code][1] if code in OWN_CODES else by_code()[code].summary)


def brief(code: str) -> str:
    """What an editor shows of a code: what is found, what torch says, why it matters, and where the rest stands."""
    name = OWN_CODES[code][0] if code in OWN_CODES else by_code()[code].name
    parts = [f"**{code} {name}**: {summary(code)}"]
    if code not in OWN_CODES:
        rule = by_code()[code]
        parts += [TORCH_SAYS[rule.torch], rule.explanation.strip("\n")]
    return "\n\n".join([*parts, f"[{code} with examples]({page_of(code)})"])


def pages() -> dict[str, str]:
    """Every page by its file name."""
    rules = load_rules()
    own = {f"{code}.md": own_page(code) for code in OWN_CODES}
    return {"README.md": index_page(rules)} | {f"{rule.code}.md": rule_page(rule) for rule in rules} | own


def write(folder: Path) -> None:
    """Write the pages, and remove those of rules that are gone."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")
    for stale in folder.glob("FL*.md"):
        if stale.name not in wanted:
            stale.unlink()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
