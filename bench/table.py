#!/usr/bin/env python3
"""Makes the tables of docs/performance.md from what the programs print with -j or --json.

    peers_conv2d -j SHAPES | bench/table.py       how many times faster than the peer
    clgrad bench ops --json | bench/table.py      the part of copy bandwidth that is reached
"""
import json
import math
import sys

DIRECTIONS = ("fwd", "bwd_data", "bwd_filter")


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("| --- |" + " ---: |" * (len(head) - 1))
    for name, *cells in rows:
        print("| " + " | ".join([name] + ["" if c is None else f"{c:.2f}" for c in cells]) + " |")


def pivot(lines, row, column, value):
    """{row: {column: value}}, rows in the order of the lines."""
    made = {}
    for line in lines:
        made.setdefault(line[row], {})[column(line)] = line[value]
    return made


def peers(lines):
    columns = [(key, d) for key in ("ratio", "nchw_ratio") for d in DIRECTIONS]
    cells = {key: pivot(lines, "problem", lambda line: line["dir"], key)
             for key in ("ratio", "nchw_ratio")}
    rows = [[name] + [cells[key][name].get(d) for key, d in columns] for name in cells["ratio"]]
    values = [[row[i + 1] for row in rows if row[i + 1] is not None] for i in range(len(columns))]
    for name, function in (("**geometric mean**", geometric_mean), ("**least**", min)):
        rows.append([name] + [function(v) if v else None for v in values])
    table(["shape"] + [("NCHW " if key == "nchw_ratio" else "") + d for key, d in columns], rows)


def ops(lines):
    rows = pivot(lines, "op", lambda line: (line["shape"], line["layout"]), "copy_fraction")
    columns = ["any", "nchw", "nhwc"]
    table(["operation"] + columns,
          ([name] + [next(iter([geometric_mean(v)] if v else [None]))
                     for v in ([value for (_, layout), value in cells.items() if layout == column]
                               for column in columns)]
           for name, cells in rows.items()))


lines = [json.loads(line) for line in sys.stdin if line.strip()]
if lines:
    (peers if "ratio" in lines[0] else ops)(lines)
