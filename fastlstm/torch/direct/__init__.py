"""One time step without a backward, on the weights where they are: nothing is packed, kept or compared."""

from fastlstm.torch.direct.step import MOST_SAMPLES, Direct

__all__ = ["MOST_SAMPLES", "Direct"]
