"""A program in a link, as `page/share.js` makes and reads them: compressed, in the fragment."""

from __future__ import annotations

import base64
import zlib

MARK = "#code="


def fragment(source: str) -> str:
    """The fragment that opens the page with a program."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    packed = packer.compress(source.encode("utf-8", "replace")) + packer.flush()
    return MARK + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def fragment_of(link: str) -> str | None:
    """The fragment of a link that was copied from a page; None for anything else."""
    _, mark, code = link.strip().partition(MARK)
    return mark + code if mark and code and all(each.isalnum() or each in "-_" for each in code) else None
