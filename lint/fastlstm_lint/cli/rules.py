"""The command `rules`."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, with the default and the kind of fix.")
def rules(as_json: bool) -> None:
    """List the linter's rules. `fastlstm explain CODE` shows one of them.

    A star: --fix changes it. [unsafe]: --fix --unsafe-fixes does. off: only where it is selected.
    """
    from ..finding import page_of
    from ..rules import load_rules

    if as_json:
        listed = [
            {
                "code": rule.code,
                "name": rule.name,
                "summary": rule.summary,
                "default": rule.default,
                "fix": rule.fixable or None,
                "url": page_of(rule.code),
            }
            for rule in load_rules()
        ]
        click.echo(json.dumps(listed, indent=2))
        return
    marks = {"safe": "[*]", "unsafe": "[unsafe]"}
    for rule in load_rules():
        off = "" if rule.default else "off"
        click.echo(f"{rule.code}  {marks.get(str(rule.fixable), ''):<9}{off:<4}{rule.name}: {rule.summary}")
