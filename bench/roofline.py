#!/usr/bin/env python3
"""Draws where convolutions lie under the device's roofs, as SVG on standard output.

    { clgrad bench peak --json; clgrad bench conv2d --shapes FILE --json; } | bench/roofline.py

Across: floating-point operations of the dense sum for each byte of x, w and y. Up: GFLOP/s, by the
same count, so that Winograd may lie above the roof of multiply-adds. The sloping roofs are copying
from memory and within the second-level cache. Plain Python 3, no packages.
"""
import json
import math
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "docs", "img"))
from make import FAINT, INK, K, MARK, X, Z, Picture  # noqa: E402

WIDTH, HEIGHT = 900, 560
LEFT, RIGHT, TOP, BOTTOM = 70, 880, 50, 500
COLOURS = {"fwd": Z[1], "bwd_data": X[1], "bwd_filter": K[1]}


def sizes(shape):
    """The numbers of a problem in benchdnn's notation, with its defaults."""
    got = {key: int(value) for key, value in re.findall(r"([a-z]+)(\d+)", shape.split("n\"")[0])}
    for across, down in (("iw", "ih"), ("ow", "oh"), ("kw", "kh")):
        got.setdefault(across, got[down])
    return {"mb": 2, "g": 1, **got}


def work(shape):
    """Operations, bytes."""
    s = sizes(shape)
    filters = s["ic"] // s["g"] * s["oc"] * s["kh"] * s["kw"]
    x, y = (s["mb"] * s[c] * s[h] * s[w] for c, h, w in (("ic", "ih", "iw"), ("oc", "oh", "ow")))
    return 2.0 * filters * s["mb"] * s["oh"] * s["ow"], 4.0 * (x + y + filters)


class Chart(Picture):
    """Two logarithmic axes."""

    def __init__(self, points, roof):
        super().__init__("roofline", WIDTH, HEIGHT, "Convolutions under the device's roofs")
        least = min(p["gflops"] for p in points)
        self.x_range = (min(p["intensity"] for p in points) / 1.5,
                        max(p["intensity"] for p in points) * 1.5)
        self.y_range = (least / 1.5, max(roof, max(p["gflops"] for p in points)) * 1.6)

    @staticmethod
    def place(value, span, start, end):
        low, high = map(math.log, span)
        return start + (end - start) * (math.log(value) - low) / (high - low)

    def x(self, intensity):
        return self.place(intensity, self.x_range, LEFT, RIGHT)

    def y(self, gflops):
        return self.place(gflops, self.y_range, BOTTOM, TOP)

    def line(self, x1, y1, x2, y2, colour=FAINT, width=1.0, dash="none"):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dash}"/>')

    def axes(self):
        self.line(LEFT, BOTTOM, RIGHT, BOTTOM)
        self.line(LEFT, TOP, LEFT, BOTTOM)
        for exponent in range(-3, 6):
            for value in (10.0 ** exponent, 2 * 10.0 ** exponent, 5 * 10.0 ** exponent):
                if self.x_range[0] < value < self.x_range[1]:
                    self.text(round(self.x(value), 1), BOTTOM + 18, f"{value:g}", 11, FAINT)
                if self.y_range[0] < value < self.y_range[1]:
                    self.line(LEFT, self.y(value), RIGHT, self.y(value), "#eeeae0")
                    self.text(LEFT - 8, round(self.y(value) + 4, 1), f"{value:g}", 11, FAINT, "end")
        self.text((LEFT + RIGHT) / 2, BOTTOM + 40, "operations for each byte of x, w and y", 12)
        self.text(LEFT - 50, TOP - 22, "GFLOP/s", 12, INK, "start")

    def roof(self, bandwidth, peak, label):
        """From the left edge or the bottom up to the ridge."""
        start = max(self.x_range[0], self.y_range[0] / bandwidth)
        ridge = min(peak / bandwidth, self.x_range[1])
        if start >= ridge:
            return
        self.line(self.x(start), self.y(start * bandwidth), self.x(ridge),
                  self.y(ridge * bandwidth), MARK, 1.5, "6 3")
        self.text(round(self.x(start) + 6, 1), round(self.y(start * bandwidth) - 8, 1), label, 11,
                  MARK, "start")

    def point(self, p):
        self.parts.append(f'<circle cx="{self.x(p["intensity"]):.1f}" cy="{self.y(p["gflops"]):.1f}" '
                          f'r="4.5" fill="{COLOURS[p["dir"]]}" fill-opacity="0.75"><title>'
                          f'{p["problem"]} {p["dir"]} {p["algo"]}: {p["gflops"]:.0f} GFLOP/s'
                          f'</title></circle>')


def label_lowest(chart, points, peak):
    """Names what is far from the roof, once for each problem, where there is room for a label."""
    seen, taken = set(), []
    for p in sorted(points, key=lambda p: p["gflops"]):
        if p["gflops"] >= 0.6 * peak or p["problem"] in seen:
            continue
        seen.add(p["problem"])
        x, y = chart.x(p["intensity"]) + 8, chart.y(p["gflops"]) + 4
        while any(abs(y - other) < 11 and x < end and x + 6 * len(p["problem"]) > start
                  for start, end, other in taken):
            y += 11
        taken.append((x, x + 6 * len(p["problem"]), y))
        chart.text(round(x, 1), round(y, 1), p["problem"], 10, FAINT, "start")


def main():
    lines = [json.loads(line) for line in sys.stdin if line.strip()]
    peaks = [line for line in lines if "fma_gflops" in line]
    points = [line for line in lines if "problem" in line]
    if len(peaks) != 1 or not points:
        sys.exit("roofline.py: reads the JSON of `clgrad bench peak` and `clgrad bench conv2d`")
    for p in points:
        flop, moved = work(p["shape"])
        p["intensity"] = flop / moved
    peak = peaks[0]["fma_gflops"]
    chart = Chart(points, peak)
    chart.axes()
    chart.line(LEFT, chart.y(peak), RIGHT, chart.y(peak), MARK, 1.5, "6 3")
    chart.text(RIGHT, round(chart.y(peak) - 8, 1), f"multiply-adds, {peak:.0f} GFLOP/s", 11, MARK,
               "end")
    chart.roof(peaks[0]["copy_gbs"], peak, "copying in memory")
    chart.roof(peaks[0]["cached_copy_gbs"], peak, "in the level 2 cache")
    for p in points:
        chart.point(p)
    label_lowest(chart, points, peak)
    for i, (direction, colour) in enumerate(COLOURS.items()):
        chart.text(RIGHT - 250 + i * 90, TOP - 22, direction, 12, colour, "start", "bold")
    print("\n".join(chart.parts) + "\n</svg>")


if __name__ == "__main__":
    main()
