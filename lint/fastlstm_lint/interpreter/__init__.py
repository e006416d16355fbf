"""The abstract interpreter: it walks a program without running it and tells what the program does with tensors.

`walk.Walk` is what every module here sees of the walk: its state and three verbs (evaluate an expression, run
statements, call a function). `machine.Machine` is the walk itself and alone knows all the others, so that a
property may call and a call may run statements without a circle of imports.
"""
