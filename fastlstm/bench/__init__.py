"""`fastlstm bench`: the user's sizes on the user's machine, beside whatever is installed.

Each library runs in a process of its own (`worker`), one at a time and by turns (`driver`); its results are checked
against the reference before anything is timed (`check`). `limits` measures what the machine can do at all, `table`,
`plot` and `compare` show it.
"""
