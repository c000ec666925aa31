"""ECharts in one node process for each of ours: an option in, SVG and the boxes of its parts out; resvg makes pixels.

```
option ─▶ line of JSON ─▶ node: echarts (renderer svg, ssr) ─▶ line of JSON ─▶ SVG, boxes ─▶ resvg ─▶ picture
```
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageFont

from vergence.data.pictures import Box
from vergence.data.sources.packages import package_folder
from vergence.data.synthesis.charts.chart_fonts import ChartFont
from vergence.errors import DataError, UsageError
from vergence.processing.media import decode_image

SCRIPT = Path(__file__).with_suffix(".js")
PROGRAMS = ("nodejs", "node")
"""Names under which node is looked for; Debian's package is called as the first."""


class Renderer:
    """A node process that draws charts; it starts with the first one and ends with ours."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0
        self._lock = threading.Lock()
        atexit.register(self.close)

    def draw(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of echarts_renderer.js to a request.

        A process that died is started anew, once. Raises `DataError` where it dies again or can't draw the chart,
        `UsageError` where there is no node or no ECharts.
        """
        line = json.dumps(request, ensure_ascii=True) + "\n"
        with self._lock:
            answer = self._ask(line) or self._ask(line)
        if not answer:
            raise DataError("the node process that draws ECharts ended twice over one chart")
        found: dict[str, Any] = json.loads(answer)
        if "error" in found:
            raise DataError(f"ECharts can't draw this option: {found['error']}")
        return found

    def _ask(self, line: str) -> str:
        """The line that the process answers with; empty where it has died."""
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line)
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = ""
        if not answer.endswith("\n"):
            self._end()
            return ""
        return answer

    def _running(self) -> subprocess.Popen[str]:
        if self._process is not None and self._owner == os.getpid():
            return self._process
        node = next(filter(None, map(shutil.which, PROGRAMS)), None)
        if node is None:
            raise UsageError(f"ECharts needs the program node: apt-get install {PROGRAMS[0]}")
        library = package_folder("echarts") / "package" / "dist" / "echarts.min.js"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NODE_")}
        self._owner = os.getpid()  # after a fork the process is our parent's
        self._process = subprocess.Popen(
            [node, str(SCRIPT), str(library)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**kept, "TZ": "UTC"},
            encoding="utf-8",
        )
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what the dead process hasn't read
                    pipe.close()

    def close(self) -> None:
        """End the process; the next chart starts another."""
        with self._lock:
            self._end()


@cache
def renderer() -> Renderer:
    """The renderer of this process."""
    return Renderer()


@cache
def _advances(font: ChartFont) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font.regular), 100, layout_engine=ImageFont.Layout.BASIC)


@cache
def _width(font: ChartFont, letter: str) -> float:
    return round(_advances(font).getlength(letter) / 100, 4)


def draw_svg(option: Mapping[str, Any], size: tuple[int, int], font: ChartFont) -> tuple[str, list[list[Box | None]]]:
    """The SVG of an option at a size in pixels, and for each series the boxes of its parts in the order of the data.

    Raises `DataError` for an option that ECharts can't draw.
    """
    letters = sorted(set(json.dumps(option, ensure_ascii=False)) | set("0123456789,.-"))
    widths = {letter: _width(font, letter) for letter in letters}
    answer = renderer().draw({"option": option, "width": size[0], "height": size[1], "widths": widths})
    boxes = [[tuple(box) if box else None for box in series] for series in answer["boxes"]]
    return str(answer["svg"]), boxes


def draw_pixels(svg: str, font: ChartFont, scale: float) -> Image.Image:
    """An SVG as a picture, `scale` pixels for each of its units, with this font and no other."""
    from resvg_py import svg_to_bytes

    family = str(_advances(font).getname()[0])  # resvg goes by the name that the file gives
    svg = svg.replace(f"font-family:{font.family};", f"font-family:{family};")
    files = [str(font.regular), str(font.bold)]
    data = svg_to_bytes(
        svg_string=svg, skip_system_fonts=True, font_files=files, font_family=family, zoom=scale, background="#ffffff"
    )
    return decode_image(bytes(data)).convert("RGB")
