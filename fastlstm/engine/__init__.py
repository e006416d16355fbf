"""The compiled engine: packs weights, plans a call, runs the kernels on the thread pool."""

from fastlstm.engine.engine import Engine, Saved
from fastlstm.engine.pool import get_num_threads, set_num_threads

__all__ = ["Engine", "Saved", "get_num_threads", "set_num_threads"]
