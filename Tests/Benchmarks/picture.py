"""The results as a picture: for each cell the ratios to bare C as bars, drawn as SVG by hand."""

import math
import statistics

from systems import LABELS, REFERENCE

LEFT, RIGHT, TOP, PANEL, GAP, BOTTOM = 76, 16, 92, 220, 78, 24
BAR, BETWEEN = 13, 22

STYLE = """
  svg { font: 12px system-ui, sans-serif; }
  .ground { fill: #ffffff; } .text { fill: #1f2328; } .faint { fill: #59636e; }
  .grid { stroke: #d1d9e0; } .one { stroke: #1f2328; stroke-width: 1.5; stroke-dasharray: 5 3; }
  .spread { stroke: #1f2328; stroke-width: 1; }
  .cartd_kept { fill: #0969da; } .cartd { fill: #6fb1f5; } .c_kept { fill: #57606a; } .c_connecting { fill: #a5afb9; }
  .php_kept { fill: #8250df; } .php { fill: #bf9cf2; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; } .text { fill: #e6edf3; } .faint { fill: #9198a1; }
    .grid { stroke: #3d444d; } .one, .spread { stroke: #e6edf3; }
    .cartd_kept { fill: #4493f8; } .cartd { fill: #1f5fae; } .c_kept { fill: #b1bac4; } .c_connecting { fill: #656c76; }
    .php_kept { fill: #ab7df8; } .php { fill: #6e40c9; }
  }
"""


def text(x, y, words, kind="text", anchor="middle", more=""):
    words = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}"{more}>{words}</text>'


def line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def legend(names):
    parts, x = [], LEFT
    for name in names:
        label = LABELS[name] + (" (connection per request)" if name == "cartd" else "")
        parts.append(f'<rect x="{x}" y="58" width="12" height="12" class="{name}"/>')
        parts.append(text(x + 17, 68, label, anchor="start"))
        x += 40 + 6.4 * len(label)
    return parts, x


class Scale:
    """From 0 to a little above the greatest ratio."""

    def __init__(self, greatest):
        self.step = next(step for step in (0.25, 0.5, 1, 2, 5, 10, 20, 50, 100) if greatest / step <= 8)
        self.top = max(math.ceil(greatest / self.step + 0.001), 1) * self.step

    def ticks(self):
        return [self.step * number for number in range(round(self.top / self.step) + 1)]

    def y(self, bottom, ratio):
        return bottom - PANEL * ratio / self.top


def bar(x, bottom, scale, name, ratios):
    middle, top, low = (scale.y(bottom, value) for value in (statistics.median(ratios), max(ratios), min(ratios)))
    said = f"{LABELS[name]}: {statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
    return [
        f'<rect x="{x:.1f}" y="{middle:.1f}" width="{BAR - 2}" height="{bottom - middle:.1f}" class="{name}">'
        f"<title>{said}</title></rect>",
        line(x + BAR / 2 - 1, top, x + BAR / 2 - 1, low, "spread"),
    ]


def panel(cells, names, scale, bottom, width):
    """The cells of one request side by side; the number of lines stands below the numbers of connections."""
    parts = [text(LEFT, bottom - PANEL - 12, cells[0].kind, anchor="start", more=' font-weight="600" font-size="14"')]
    for tick in scale.ticks():
        y = scale.y(bottom, tick)
        parts += [line(LEFT, y, width - RIGHT, y, "grid"), text(LEFT - 8, y + 4, f"{tick:g}", "faint", "end")]
    group, x = len(names) * BAR, LEFT + BETWEEN / 2
    sizes = {}
    for cell in cells:
        for index, name in enumerate(names):
            ratios = cell.ratios(name)
            if ratios:
                parts += bar(x + index * BAR, bottom, scale, name, ratios)
            else:
                parts.append(text(x + index * BAR + BAR / 2 - 1, bottom - 4, "×", "faint"))
        parts.append(text(x + group / 2, bottom + 17, str(cell.connections), "faint"))
        sizes.setdefault(cell.lines, []).append(x + group / 2)
        x += group + BETWEEN
    for lines, middles in sizes.items():
        parts.append(text(statistics.mean(middles), bottom + 36, f"{lines} line{'s' * (lines > 1)}"))
    parts.append(text(LEFT - 8, bottom + 17, "connections", "faint", "end", ' font-size="10"'))
    return parts + [line(LEFT, scale.y(bottom, 1), width - RIGHT, scale.y(bottom, 1), "one")]


def svg(results):
    names = [name for name in LABELS if name in results["memory"] and name != REFERENCE]
    kinds = list(dict.fromkeys(cell.kind for cell in results["cells"]))
    greatest = max(ratio for cell in results["cells"] for name in names for ratio in cell.ratios(name))
    scale, (parts, wide) = Scale(max(greatest, 1)), legend(names)
    groups = len(results["cells"]) / len(kinds)
    width = math.ceil(max(LEFT + RIGHT + groups * (len(names) * BAR + BETWEEN), wide + RIGHT))
    height = TOP + len(kinds) * (PANEL + GAP) + BOTTOM
    settings = results["settings"]
    title = "Requests per second, relative to a bare C cart with a FastCGI connection per request"
    parts.append(text(LEFT, 26, title, anchor="start", more=' font-weight="600" font-size="15"'))
    notes = (f"Medians of {settings['rounds']} pairs, the thin lines from the least to the greatest; "
             f"{settings['workers']} workers, {results['machine']['cores']} cores; × starves")
    parts.append(text(LEFT, 45, notes, "faint", "start"))
    for index, kind in enumerate(kinds):
        bottom = TOP + 24 + index * (PANEL + GAP) + PANEL
        parts += panel([cell for cell in results["cells"] if cell.kind == kind], names, scale, bottom, width)
    body = "\n".join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            f'role="img">\n<title>cartd, C and PHP-FPM compared</title>\n<style>{STYLE}</style>\n'
            f'<rect width="{width}" height="{height}" class="ground"/>\n{body}\n</svg>\n')
