"""`python -m fastlstm_lint` is the command `fastlstm-lint`."""

from fastlstm_lint.cli import main

main(prog_name="fastlstm-lint")
