"""`fastlstm explain`, and the same without layers of cells of one's own, `fastlstm-lint explain`."""

from __future__ import annotations

from pathlib import Path

import click

from ..explain import LayerSyntaxError, UnknownQuestion, answer
from ..explain.parse import Own
from ..explain.words import LANGS, Lang, language
from ..program import named
from ..visible import visible


def make(own: Own | None = None) -> click.Command:
    """The command; `own` makes the layers of `Recurrent` from their arguments."""

    @click.command()
    @click.argument("question", nargs=-1, required=True)
    @click.option("--input", "shape", metavar="SIZES", help="Shape of a layer's input: 1,3,5 or 1x3x5.")
    @click.option("--lang", type=click.Choice(LANGS), help="English or Chinese; by default what the question is in.")
    @click.option("--svg", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Draw a layer.")
    @click.option("--lengths", metavar="SIZES", help="In the picture: lengths of a packed batch, such as 4,2,1.")
    def explain(
        question: tuple[str, ...], shape: str | None, lang: Lang | None, svg: Path | None, lengths: str | None
    ) -> None:
        """Answer a QUESTION about recurrent layers.

        \b
          fastlstm explain 'nn.LSTM(5, 6, num_layers=2)' --input 1,3,5
          fastlstm explain h_n          also: what is in h_n, output, c_n, batch_first, packed
          fastlstm explain FL205        a rule of the linter, by code or name
          fastlstm explain 'RuntimeError: Expected hidden[0] size (2, 4, 6), got [4, 2, 6]'
          fastlstm explain 'torch.Size([3, 4, 5])'

        Of a layer: input, states, output and parameters with their letters and axis meanings, the parameter count,
        and where h_n sits in output. Code is read, not run.
        """
        asked = " ".join(question)
        chosen = lang or language(asked)
        try:
            click.echo(named(answer(asked, chosen, shape, own)))
            if svg is not None:
                from ..explain.drawing import draw

                svg.write_text(draw(asked, chosen, shape, lengths, own), encoding="utf-8")
                click.echo(visible(f"{svg}: written"), err=True)
            elif lengths is not None:
                raise LayerSyntaxError("--lengths goes with --svg FILE")
        except OSError as error:
            raise click.ClickException(visible(f"{svg}: {error.strerror}")) from None
        except (LayerSyntaxError, UnknownQuestion) as error:
            raise click.UsageError(named(str(error))) from None

    return explain


explain = make()
