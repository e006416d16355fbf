"""`fastlstm prove`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click


class Written(click.ParamType):
    """An input as `4,7,5`, `4,7:int` or `4:int=7`; a tuple with `+`."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from fastlstm.prove.given import read

        try:
            return read(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


DTYPES = ("float32", "float64", "float16", "bfloat16", "int", "int64", "int32")
AS_GUESSED = "[default: as in its source, or the input's]"


@click.command()
@click.argument("target")
@click.option("--args", metavar="LITERAL", help="Positional arguments of the constructor: '[5, 6]'.")
@click.option("--kwargs", metavar="LITERAL", help="Its keyword arguments: '{\"hidden_size\": 6}'.")
@click.option(
    "--input",
    "inputs",
    type=Written(),
    multiple=True,
    help="Sizes of the input: 4,7,5.  [default: as its source tells]  Again for each further argument, which stays "
    "fixed: 2,4,6, of another type 4,7:int, filled with one number 4:int=7, or a tuple 2,4,6+2,4,6.",
)
@click.option("--dtype", type=click.Choice(DTYPES), help="Type of the input; int for token ids.")
@click.option("--high", type=click.IntRange(2), help="How many token ids there are.")
@click.option("--batch-dim", type=int, help="The batch axis of the input.")
@click.option("--time-dim", type=int, help="The time axis of the input.")
@click.option("--out-batch-dim", type=int, help=f"The batch axis of the output.  {AS_GUESSED}")
@click.option("--out-time-dim", type=int, help=f"The time axis of the output.  {AS_GUESSED}")
@click.option("--output", type=click.IntRange(0), default=0, show_default=True, help="Which of several outputs.")
@click.option("--causal", is_flag=True, help="Also ask whether a step's output depends on a later step's input.")
@click.option("--lookahead", type=click.IntRange(0), default=0, show_default=True, help="Steps it may look ahead.")
@click.option("--train", is_flag=True, help="Leave the model in training mode.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of weights and input.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw it: FILE.svg or FILE.png.")
def prove(target: str, args: str | None, kwargs: str | None, plot: Path | None, inputs: Any, **options: Any) -> None:
    """Run TARGET and show, by gradients, whether a sample's output depends on another sample's input.

    TARGET is MODULE:CLASS or FILE.py:CLASS; a function that makes a model and a model itself will do. THIS RUNS THE
    CODE of that module and of the model. Constructor arguments without a default are guessed by their names, the input
    is read from the source; both are printed.

    Exit code: 0 it holds, 1 it does not, 2 misuse or a model that cannot be run.
    """
    from fastlstm.prove.ask import Question
    from fastlstm.prove.ask import prove as ask
    from fastlstm.prove.target import TargetError, build, find

    if inputs:
        first, *more = inputs
        if len(first) > 1 or first[0].fill is not None:
            raise click.BadParameter("the first input is one array of random numbers", param_hint="--input")
        options |= {"sizes": first[0].sizes, "more": tuple(more), "dtype": first[0].dtype or options["dtype"]}
    click.echo(f"This runs the code of {target.rpartition(':')[0] or target}.", err=True)
    try:
        found = find(target)
        _seed(options["seed"])
        built = build(found, args, kwargs)
        proof = ask(built, Question(**options))
    except TargetError as error:
        raise click.UsageError(str(error)) from error
    guessed = f" (guessed: {', '.join(built.guessed)}; --kwargs to choose)" if built.guessed else ""
    click.echo(f"{built.call}{guessed}\n{proof.given}, {'training' if options['train'] else 'evaluation'} mode\n")
    for line in proof.lines():
        click.echo(line)
    if plot is not None:
        from fastlstm.prove.plot import draw

        try:
            draw(proof, plot, built.call)
        except ImportError as error:
            raise click.UsageError("--plot needs matplotlib: pip install 'fastlstm[bench]'") from error
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--plot") from error
    sys.exit(0 if proof.holds else 1)


def _seed(seed: int) -> None:
    """The same weights every time, whichever library draws them."""
    import numpy as np

    np.random.seed(seed)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)
