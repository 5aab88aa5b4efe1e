"""A trace as a sequence diagram: a lane for each node, time going down, messages as arrows; one SVG, self-contained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Final

from ..traces import events
from ..traces.events import AnyLine
from ..traces.merge import merge
from ..traces.messages import Heartbeat, MessageId, Other

LANE: Final = 250
ROW: Final = 26
TOP: Final = 56
ROWS_MAX: Final = 300
"""Of a longer run the last so many lines are drawn: it ends with what is wrong."""

STYLE: Final = """
text { font: 12px ui-monospace, Menlo, Consolas, monospace; fill: #222 }
.name { font-size: 15px; font-weight: bold; text-anchor: middle }
.lane { stroke: #ccc }
.way { stroke: #7a8ca8; fill: none; marker-end: url(#head) }
.box { fill: #eef2f8; stroke: #7a8ca8 }
.start, .stop { fill: #e6f3e6; stroke: #6a9a6a }
.lead, .commit { fill: #fdf3d8; stroke: #b9993e }
.wrong { fill: #fbdcdc; stroke: #b33; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  svg { background: #16181d } text { fill: #ddd } .lane { stroke: #444 }
  .box { fill: #26303f } .start, .stop { fill: #24382a } .lead, .commit { fill: #41391f } .wrong { fill: #5a2222 }
}
"""


def drawn(traces: Path, wrong: tuple[str, int] | None = None) -> str:
    """The traces in a folder as SVG; `wrong` is the line that does not conform, by its file and number there."""
    return _Drawing(traces, wrong).text()


class _Drawing:
    def __init__(self, traces: Path, wrong: tuple[str, int] | None) -> None:
        merged = merge(traces)
        steps = [step for step in merged if _is_shown(step.line)]
        self._left_out = max(0, len(steps) - ROWS_MAX)
        self._steps = steps[self._left_out :]
        self._wrong = wrong
        self._lanes = {node: LANE // 2 + LANE * i for i, node in enumerate(sorted(merged.nodes))}
        self._values: dict[str, str] = {}
        self._sent: dict[MessageId, tuple[int, int]] = {}

    def text(self) -> str:
        width, height = LANE * len(self._lanes), TOP + ROW * (len(self._steps) + 1)
        body = [*self._heads(height), *self._rows()]
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                f'viewBox="0 0 {width} {height}">',
                f"<style>{STYLE}</style>",
                '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
                'orient="auto"><path d="M0 0 8 4 0 8z" fill="#7a8ca8"/></marker></defs>',
                *body,
                "</svg>\n",
            ]
        )

    def _heads(self, height: int) -> Iterator[str]:
        for node, x in self._lanes.items():
            yield f'<text class="name" x="{x}" y="24">{escape(node)}</text>'
            yield f'<line class="lane" x1="{x}" y1="{TOP - 22}" x2="{x}" y2="{height}"/>'
        if self._left_out:
            yield f'<text x="8" y="46">{self._left_out:,} earlier lines are left out</text>'

    def _rows(self) -> Iterator[str]:
        arrows, boxes = [], []
        for number, step in enumerate(self._steps):
            line = step.line
            x, y = self._lanes[line.node], TOP + ROW * number
            if line.recv is not None and line.recv.id in self._sent:
                x1, y1 = self._sent[line.recv.id]
                side = 1 if x1 > x else -1
                arrows.append(
                    f'<path class="way" d="M{x1} {y1 + 9} L{x + side * (LANE // 2 - 20)} {y + 9}"/>'
                )
            for message in line.send:
                self._sent[message.id] = x, y
            is_wrong = self._wrong == (step.place.file, step.place.number)
            boxes.append(_box(x, y, "wrong" if is_wrong else line.event, self._said(line)))
        yield from arrows
        yield from boxes

    def _said(self, line: AnyLine) -> str:
        """A line in so few words that they fit a lane."""
        words: list[str] = [line.event]
        ballot = getattr(line, "ballot", None)
        if ballot is not None:
            words.append(f"{ballot.round}.{ballot.node}")
        words += [f"{slot}={self._alias(value)}" for slot, value in getattr(line, "entries", ())[:3]]
        if isinstance(line, events.Start):
            words += [f"boot {line.boot}", f"low {line.low}" if line.low else ""]
        elif isinstance(line, events.Nack):
            words.append("" if line.recv is None else line.recv.__struct_config__.tag or "")  # type: ignore[arg-type]
        slot = getattr(line, "slot", None)
        if slot is not None:
            words.append(f"slot {slot}")
        return " ".join(word for word in words if word)[:36]

    def _alias(self, value: str) -> str:
        """A short name for a value: what matters is which are the same."""
        if len(value) <= 6:
            return value
        return self._values.setdefault(value, f"v{len(self._values) + 1}")


def _is_shown(line: AnyLine) -> bool:
    """Is it more than a sign of life?"""
    if isinstance(line, events.Ignore | events.Resend):
        return False
    return not isinstance(line.recv, Heartbeat | Other) or bool(line.send)


def _box(x: int, y: int, kind: str, text: str) -> str:
    width = LANE - 40
    classes = "box" if kind not in _KINDS else f"box {kind}"
    return (
        f'<rect class="{classes}" x="{x - width // 2}" y="{y}" width="{width}" height="{ROW - 7}" rx="4"/>'
        f'<text x="{x - width // 2 + 6}" y="{y + 14}">{escape(text)}</text>'
    )


_KINDS: Final[Sequence[str]] = ("start", "stop", "lead", "commit", "wrong")
