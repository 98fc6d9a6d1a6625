"""The dashboard's panels as a page of HTML, drawn from a Prometheus: picture.py URL --instance HOST >page.html.

Not Grafana, which is not to be had from a distribution: the same queries, places, titles, units, thresholds and
legends out of the dashboard's JSON, so that what reads badly there is seen here. `make fleet-bench` has a Prometheus.
"""

import argparse
import html
import json
import re
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

DASHBOARD: Final = Path(__file__).parent / "grafana" / "sriov-bootstrap.json"
WIDTH, UNIT_HEIGHT, COLUMNS, GAP = 1600, 26, 24, 6
COLOURS: Final = (
    "#73bf69",
    "#f2cc0c",
    "#8ab8ff",
    "#ff780a",
    "#f2495c",
    "#5794f2",
    "#b877d9",
    "#37872d",
    "#fade2a",
    "#c4162a",
)
STEPS: Final = {"green": "#73bf69", "red": "#f2495c", "orange": "#ff9830", "blue": "#5794f2"}
SHOWN_IN_LEGEND: Final = 12
ROWS: Final = 6
PARTS: Final = 4
LONG_SECONDS, LARGE = 100, 10
BESIDE: Final = 370
STYLE: Final = """body{margin:0;background:#111217;color:#ccccdc;font:13px sans-serif}
.p{position:absolute;background:#181b1f;border:1px solid #2c3235;box-sizing:border-box;overflow:hidden}
.t{padding:5px 8px;font-weight:bold}.big{font-size:46px;text-align:center;padding-top:2px}
.row{position:absolute;font-size:16px;font-weight:bold;padding-left:4px}
.l{padding:0 8px;font-size:11px;line-height:15px}
.b{position:absolute;right:4px;top:24px;width:360px;font-size:11px;line-height:14px}.b span{display:block}
.l i,.b i{display:inline-block;width:12px;height:3px;margin:0 4px 3px 8px}
table{width:100%;font-size:11px;border-collapse:collapse}
td,th{text-align:left;padding:3px 8px;border-top:1px solid #2c3235}
.none{text-align:center;padding-top:50px;color:#8e8e99}svg text{fill:#9a9aa5;font:11px sans-serif}"""

Series = tuple[str, list[tuple[float, float]]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("url")
    parser.add_argument("--instance", default=".*", help="what the variable of the dashboard would be set to")
    parser.add_argument("--minutes", type=float, default=15)
    options = parser.parse_args(namespace=argparse.Namespace(end=time.time()))
    panels = json.loads(DASHBOARD.read_text())["panels"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) * UNIT_HEIGHT
    print(f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><div style='position:relative;height:{height}px'>")
    for panel in panels:
        print(drawn(panel, options))
    print("</div>")
    return 0


def drawn(panel: dict[str, Any], options: argparse.Namespace) -> str:
    place = panel["gridPos"]
    left, top = place["x"] * WIDTH // COLUMNS, place["y"] * UNIT_HEIGHT
    width, height = place["w"] * WIDTH // COLUMNS - GAP, place["h"] * UNIT_HEIGHT - GAP
    title = html.escape(panel["title"].replace("$instance", options.instance))
    if panel["type"] == "row":
        return f"<div class=row style='left:{left}px;top:{top}px'>&#9662; {title}</div>"
    body = "".join(INSIDE[panel["type"]](panel, options, width, height - 26))
    size = f"left:{left}px;top:{top}px;width:{width}px;height:{height}px"
    return f"<div class=p style='{size}'><div class=t>{title}</div>{body or '<div class=none>No data</div>'}</div>"


def stat(panel: dict[str, Any], options: argparse.Namespace, *_: int) -> Iterator[str]:
    for _name, points in asked(panel, options):
        value, colour = points[-1][1], ""
        for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]:
            if step["value"] is None or value >= step["value"]:
                colour = STEPS[step["color"]]
        yield f"<div class=big style='color:{colour}'>{value:,.0f}</div>"


def graph(panel: dict[str, Any], options: argparse.Namespace, width: int, height: int) -> Iterator[str]:
    series = asked(panel, options)
    if not series:
        return
    defaults = panel["fieldConfig"]["defaults"]
    names = [name for name, _ in series]
    is_beside = panel["options"]["legend"]["placement"] == "right"
    width -= BESIDE if is_beside else 0
    lines = -(-sum(len(name) * 6 + 30 for name in names[:SHOWN_IN_LEGEND]) // width)
    plot = height - 20 - (0 if is_beside else 15 * lines)
    top = max(max(value for _, points in series for _, value in points) * 1.08, 1e-9)
    begin, end = options.end - options.minutes * 60, options.end

    def at(moment: float, value: float) -> tuple[float, float]:
        return 60 + (moment - begin) / (end - begin) * (width - 75), plot - value / top * (plot - 8)

    yield f"<svg width={width} height={plot + 18}>"
    for part in range(PARTS + 1):
        y = at(begin, top * part / PARTS)[1]
        yield f"<line x1=60 x2={width - 15} y1={y:.0f} y2={y:.0f} stroke='#2c3235'/>"
        yield f"<text x=54 y={y + 4:.0f} text-anchor=end>{number(top * part / PARTS, defaults['unit'])}</text>"
        moment = begin + (end - begin) * part / PARTS
        anchor = "start" if part < PARTS else "end"
        clock = time.strftime("%H:%M", time.gmtime(moment))
        yield f"<text x={at(moment, 0)[0]:.0f} y={plot + 15} text-anchor={anchor}>{clock}</text>"
    for index, (_, points) in enumerate(series):
        colour = COLOURS[index % len(COLOURS)]
        if defaults.get("custom", {}).get("drawStyle") == "bars":
            for x, y in (at(*point) for point in points):
                yield f"<line x1={x:.1f} x2={x:.1f} y1={plot} y2={y:.1f} stroke='{colour}' stroke-width=4 opacity=.8 />"
        else:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(*point) for point in points))
            dash = "stroke-width=5 opacity=.45" if is_wide(panel, names[index]) else "stroke-width=1.5"
            yield f"<polyline points='{path}' fill=none stroke='{colour}' {dash} />"
    yield f"</svg><div class={'b' if is_beside else 'l'}>"
    for index, name in enumerate(names[:SHOWN_IN_LEGEND]):
        yield f"<span><i style='background:{COLOURS[index % len(COLOURS)]}'></i>{html.escape(name)}</span>"
    yield f" and {len(names) - SHOWN_IN_LEGEND} more</div>" if len(names) > SHOWN_IN_LEGEND else "</div>"


def table(panel: dict[str, Any], options: argparse.Namespace, *_: int) -> Iterator[str]:
    (target,) = panel["targets"]
    found = api(options.url, "query", query=filled(target["expr"], options))
    hidden = {name for one in panel["transformations"] for name in one["options"].get("excludeByName", {})}
    renamed = {old: new for one in panel["transformations"] for old, new in one["options"]["renameByName"].items()}
    rows = [one["metric"] | {"Value": f"{float(one['value'][1]):,.0f}"} for one in found]
    columns = sorted({name for one in rows for name in one} - hidden, key=lambda name: (name == "Value", name))
    if rows:
        heads = [html.escape(renamed.get(name, name)) for name in columns]
        yield "<table><tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"
    for one in rows[:ROWS]:
        yield "<tr>" + "".join(f"<td>{html.escape(one.get(name, ''))}</td>" for name in columns) + "</tr>"
    if rows:
        yield "</table>"


INSIDE: Final[dict[str, Callable[[dict[str, Any], argparse.Namespace, int, int], Iterator[str]]]] = {
    "stat": stat,
    "timeseries": graph,
    "table": table,
}


def asked(panel: dict[str, Any], options: argparse.Namespace) -> list[Series]:
    """Ask each query of a panel over time, and name what comes by its legend."""
    step = max(options.minutes * 60 / 120, 1)
    found: list[Series] = []
    for target in panel["targets"]:
        answer = api(
            options.url,
            "query_range",
            query=filled(target["expr"], options),
            start=options.end - options.minutes * 60,
            end=options.end,
            step=step,
        )
        for one in answer:
            metric = one["metric"]
            name = target["legendFormat"]
            for label in re.findall(r"\{\{(\w+)\}\}", name):
                name = name.replace(f"{{{{{label}}}}}", metric.get(label, ""))
            points = [(float(moment), float(value)) for moment, value in one["values"] if value != "NaN"]
            if points:
                found.append((name or "Value", points))
    return found


def filled(expression: str, options: argparse.Namespace) -> str:
    return expression.replace("$__rate_interval", "1m").replace("$instance", options.instance)


def api(url: str, path: str, **parameters: str | float) -> list[dict[str, Any]]:
    address = f"{url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(address, timeout=300) as answer:  # noqa: S310 (what the caller names)
        found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return found


def is_wide(panel: dict[str, Any], name: str) -> bool:
    """Return whether an override makes the line of this name wide, as the desired number below the actual one."""
    patterns = [one["matcher"]["options"].strip("/") for one in panel["fieldConfig"]["overrides"]]
    return any(re.search(pattern, name) for pattern in patterns)


def number(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value:.2g} s" if value < LONG_SECONDS else f"{value / 60:.0f} min"
    return f"{value:,.0f}" if value >= LARGE else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
