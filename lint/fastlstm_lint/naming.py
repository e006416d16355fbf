"""What programs call the sizes of axes: names that say batch, and names that say time steps."""

from __future__ import annotations

from .dims import Dim, words

BATCH_NAMES = frozenset(words("batch batch_size batchsize bs bsz b B n_batch nbatch num_batch nb_batch mb"))
TIME_NAMES = frozenset(
    words(
        "seq_len seq_length sequence_length sequence_len seqlen t T n_step n_steps timesteps time_steps max_len "
        "max_length length steps num_steps time max_seq_len seq_size time_step window window_size"
    )
)


def names_of(size: Dim) -> frozenset[str]:
    """What a program calls a size that is one symbol: `batch` for `self.batch`, and the variable that holds it."""
    symbol = size.symbol
    return frozenset() if symbol is None else frozenset({symbol.name.rpartition(".")[2], symbol.alias or ""})
