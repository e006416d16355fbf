"""`python -m fastlstm` is the command `fastlstm`."""

from fastlstm.cli import main

main(prog_name="fastlstm")
