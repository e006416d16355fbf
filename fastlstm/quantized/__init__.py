"""Layers for inference with weights of 8 or 16 bits (docs/quantize.md).

`numbers.py` rounds parameters, `weights.py` packs them in panels, `engine.py` runs the kernels of `fastlstm.engine`
with other products on them, `layer.py` is what the user holds.
"""

from .layer import Quantized, quantize

__all__ = ["Quantized", "quantize"]
