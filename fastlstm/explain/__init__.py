"""The shapes of a layer as text: `fastlstm explain 'LSTM(5, 6, 2)' --input 1,3,5`.

Everything shown is read from `fastlstm.contract`; nothing here knows a shape rule of its own.
"""

from fastlstm.explain.draw import explain
from fastlstm.explain.parse import LayerSyntaxError, parse, parse_input

__all__ = ["LayerSyntaxError", "explain", "parse", "parse_input"]
