"""Compiled code of our own keeping: object files in a store, and a loader that needs LLVM but not Numba."""
