"""`fastlstm explain`."""

from __future__ import annotations

import click

from fastlstm import explain as text


@click.command()
@click.argument("layer")
@click.option("--input", "shape", metavar="SIZES", help="Shape of the input, such as 1,3,5. Letters stand in without.")
def explain(layer: str, shape: str | None) -> None:
    """Show every shape of LAYER, a constructor call such as 'LSTM(5, 6, num_layers=2)'.

    LAYER may also be a rule of the linter, such as FL205, or an error message of torch in quotes.

    Input, states, output and parameters with their letters and axis meanings, the parameter count, and where h_n
    sits in output. The call is read, not run.
    """
    from fastlstm_lint.explain import explain as explain_finding

    told = explain_finding(layer)
    if told is not None:
        click.echo(told)
        return
    try:
        config = text.parse(layer)
        T, B, batched = None, None, True
        if shape is not None:
            T, B = text.parse_input(shape, config)
            batched = B is not None
    except text.LayerSyntaxError as error:
        raise click.UsageError(str(error)) from None
    click.echo(text.explain(config, T, B, batched=batched))
