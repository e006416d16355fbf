"""Hook of PyInstaller: rooms that the package opens by name when they are asked for, and the code that a wheel brought.

Numba comes along, since a machine that the code is not for compiles its own; `--exclude-module numba` leaves it out.
"""

from PyInstaller.utils.hooks import collect_data_files

hiddenimports = [f"fastlstm.{room}" for room in ("layers", "quantized", "cells", "reference", "engine.compiling")]
datas = collect_data_files("fastlstm", includes=["prebuilt/*/*"])
