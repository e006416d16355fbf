"""Text of a stranger's files and file names as it may be printed: on a terminal, and in the log of a build.

A control character could move the cursor or change the title of a terminal, a bidirectional one could show code in
another order than it runs in, a line end could begin a line of its own; and GitHub takes a line that begins with `::`,
or holds `##[`, for a command.
"""

from __future__ import annotations

COMMAND, OLD_COMMAND = "::", "##["


def visible(text: str) -> str:
    """The text on one line, with an escape for each character that is not printed, and no command to who reads it."""
    if not text.isprintable():
        text = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
    if OLD_COMMAND in text:
        text = text.replace(OLD_COMMAND, r"#\x23[")
    return r"\x3a" + text[1:] if text.startswith(COMMAND) else text


def visible_lines(text: str) -> str:
    """The same of several lines; line ends and tabs stay."""
    lines = text.split("\n")
    return "\n".join("\t".join(visible(part) for part in line.split("\t")) for line in lines)
