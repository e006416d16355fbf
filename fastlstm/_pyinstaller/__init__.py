"""What PyInstaller is told of this package; it finds the folder by the entry point `pyinstaller40`."""

import os


def folders() -> list[str]:
    """Where the hooks are."""
    return [os.path.dirname(__file__)]
