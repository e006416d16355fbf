"""Weights from and to other libraries: PyTorch, ONNX, Keras.

One module per library, which alone imports it. A layer's own `from_torch`, `to_torch`, `from_keras_weights` and
`to_keras_weights` end here; ONNX models are read and made by `fastlstm.interop.onnx`.
"""
