"""Recurrent layers and rules explained: `fastlstm explain 'LSTM(5, 6, 2)' --input 1,3,5`, `fastlstm explain h_n`.

* `parse.py`, `named.py`, `shape_text.py`: constructor calls and shapes, read as people write them, nothing run;
* `draw.py`: tables and drawings as text;
* `topics.py`, `told.py`: values and options by name;
* `memory.py`: what expressions pick; `svg.py`, `picture.py`, `drawing.py`: a call as a picture;
* `words.py`: the words of axes in English and Chinese;
* `reasons.py`: a rule, and what an error message of torch means;
* `ask.py`: which of these answers a question.

Every shape shown is read from `fastlstm_lint.contract`; nothing here knows a shape rule of its own.
"""

from .ask import UnknownQuestion, answer
from .draw import explain
from .parse import LayerSyntaxError, parse, read
from .shape_text import parse_input

__all__ = ["LayerSyntaxError", "UnknownQuestion", "answer", "explain", "parse", "parse_input", "read"]
