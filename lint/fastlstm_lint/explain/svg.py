"""A drawing as SVG text, for light and dark pages: shapes in words, nothing that is fetched or run."""

from __future__ import annotations

from xml.sax.saxutils import escape

STYLE = """
text { font: 13px "Helvetica Neue", Arial, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; fill: #1c2733; }
text.code { font-family: Menlo, Consolas, "DejaVu Sans Mono", "Noto Sans Mono CJK SC", monospace; font-size: 12.5px; }
text.small { font-size: 11.5px; fill: #5b6b7b; }
text.head { font-size: 16px; font-weight: 600; }
text.in { font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 11px; fill: #10202e; }
text.out { fill: #5b6b7b; }
text.good { fill: #14713d; }
text.bad { fill: #b3261e; }
rect { stroke: #5b6b7b; stroke-width: 1; }
rect.none { fill: none; stroke-dasharray: 3 3; }
rect.node { fill: none; }
path { stroke: #5b6b7b; stroke-width: 1.4; fill: none; }
.s0 { fill: #9fc5f8; } .s1 { fill: #ffd28a; } .s2 { fill: #b5e3a9; } .s3 { fill: #f4b6c9; } .s4 { fill: #cfc0f0; }
.dim { opacity: 0.28; }
@media (prefers-color-scheme: dark) {
text { fill: #e3eaf1; } text.small { fill: #9fb0c0; } text.out { fill: #9fb0c0; }
text.in.dim { fill: #e3eaf1; opacity: 0.5; }
text.good { fill: #6fd198; } text.bad { fill: #ff9d94; }
rect, path { stroke: #9fb0c0; }
}
"""
"""Colours of text and lines follow the page's scheme; the samples' own are light in both, with dark text in them,
and light text in those that are faint on a dark page."""

COLOURS = 5
"""Samples that have a colour of their own."""


class Drawing:
    """Shapes put on a page one after another; the page grows with them. Lengths are in pixels."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.parts: list[str] = []
        self.width = self.height = 0.0

    def box(self, x: float, y: float, w: float, h: float, kind: str, text: str = "") -> None:
        """A rectangle, `kind` its classes, with text in its middle."""
        self.parts.append(f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="2" class="{kind}"/>')
        if text:
            dim = " dim" if "dim" in kind.split() else " out" if kind == "none" else ""
            at = f'x="{x + w / 2:g}" y="{y + h / 2 + 4:g}"'
            self.parts.append(f'<text {at} class="in{dim}" text-anchor="middle">{escape(text)}</text>')
        self._grow(x + w, y + h)

    def text(self, x: float, y: float, text: str, kind: str = "", wide: float = 0.0) -> None:
        """A line of text that begins at (x, y); `wide` is the room that it takes."""
        self.parts.append(f'<text x="{x:g}" y="{y:g}" class="{kind}" xml:space="preserve">{escape(text)}</text>')
        self._grow(x + wide, y + 4)

    def arrow(self, x1: float, y1: float, x2: float, y2: float) -> None:
        """A line with its point at the end; both points on one row or one column."""
        dx, dy = (x2 > x1) - (x2 < x1), (y2 > y1) - (y2 < y1)
        back, side = 5, 3
        tip = (
            f"M{x2 - back * dx - side * dy:g} {y2 - back * dy - side * dx:g} L{x2:g} {y2:g} "
            f"L{x2 - back * dx + side * dy:g} {y2 - back * dy + side * dx:g}"
        )
        self.parts.append(f'<path d="M{x1:g} {y1:g} L{x2:g} {y2:g} {tip}"/>')
        self._grow(max(x1, x2), max(y1, y2))

    def _grow(self, x: float, y: float) -> None:
        self.width, self.height = max(self.width, x), max(self.height, y)

    def svg(self, margin: float = 16) -> str:
        """The whole file."""
        w, h = self.width + margin, self.height + margin
        body = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w:g} {h:g}" width="{w:g}" height="{h:g}" '
            f'role="img" aria-label="{escape(self.label, {chr(34): "&quot;"})}">\n'
            f"<style>{STYLE}</style>\n{body}\n</svg>\n"
        )
