"""Compiled kernels: vector IR through Numba. README.md states each kernel's arguments, shapes and layouts."""
