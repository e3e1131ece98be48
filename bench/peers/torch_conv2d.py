#!/usr/bin/env python3
"""Convolutions on a GPU, clgrad against cuDNN (through PyTorch) in float32, TensorFloat-32 off.

    bench/peers/torch_conv2d.py bench/shapes/conv_shapes.txt [--clgrad build/clgrad] [--batch N] [--json]

Reads the same lists as `clgrad bench conv2d` and prints, as peers_conv2d does, PyTorch's time over
clgrad's: above 1, clgrad is faster. cuDNN measures its algorithms first and takes the fastest
(cudnn.benchmark); against clgrad's preferred layout stands the better of its NCHW and NHWC, against
NCHW its NCHW. Of what takes less than a millisecond several runs are enqueued before they are waited
for, on both sides; figures are of the median.
"""
import argparse
import json
import math
import re
import statistics
import subprocess
import sys
import time

DIRECTIONS = ("fwd", "bwd_data", "bwd_filter")


def problems(path):
    """Each line as a dictionary, widths that are missing filled in from the heights."""
    for line in open(path, encoding="utf-8"):
        line = line.split("#")[0].strip()
        if not line:
            continue
        text, _, name = line.partition("n\"")
        p = {"g": 1, "kh": 1, "sh": 1, "ph": 0, "dh": 0}
        p.update((key, int(value)) for key, value in re.findall(r"([a-z]+)(\d+)", text))
        for key in ("i", "o", "k", "s", "p", "d"):
            tall, wide = (key + "h", key + "w")
            p.setdefault(wide, p[tall])
        yield name.rstrip("\"") or text, p


def torch_time(function, seconds):
    import torch

    def run(times):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(times):
            function()
        torch.cuda.synchronize()
        return (time.perf_counter() - start) / times

    run(3)
    runs = max(1, min(64, math.ceil(1e-3 / run(3))))
    end, times = time.perf_counter() + seconds, []
    while len(times) < 5 or time.perf_counter() < end:
        times.append(run(runs))
    return 1e3 * statistics.median(times)


def torch_times(p, batch, seconds, channels_last):
    """Milliseconds of each direction; the gradient of the filter comes with that of the bias."""
    import torch
    form = torch.channels_last if channels_last else torch.contiguous_format
    n = batch or p["mb"]

    def data(*shape):
        return torch.rand(shape, device="cuda").to(memory_format=form)

    x = data(n, p["ic"], p["ih"], p["iw"])
    w = data(p["oc"], p["ic"] // p["g"], p["kh"], p["kw"])
    b = torch.rand(p["oc"], device="cuda")
    # The size of y comes from the list: it settles the padding below and to the right.
    stride, dilation = (p["sh"], p["sw"]), (p["dh"] + 1, p["dw"] + 1)
    padding = (p["ph"], p["pw"])
    y = torch.nn.functional.conv2d(x, w, b, stride, padding, dilation, p["g"])
    if tuple(y.shape[2:]) != (p["oh"], p["ow"]):
        return None
    dy = torch.rand_like(y)

    def backward(*wanted):
        return lambda: torch.ops.aten.convolution_backward(
            dy, x, w, [p["oc"]], stride, padding, dilation, False, [0, 0], p["g"], wanted)

    calls = {"fwd": lambda: torch.nn.functional.conv2d(x, w, b, stride, padding, dilation, p["g"]),
             "bwd_data": backward(True, False, False), "bwd_filter": backward(False, True, True)}
    return {d: torch_time(calls[d], seconds) for d in DIRECTIONS}


def clgrad_lines(options, layout):
    """{(problem, direction): line} of what clgrad measured."""
    command = [options.clgrad, "bench", "conv2d", "--shapes", options.shapes, "--layout", layout,
               "--seconds", str(options.seconds), "--json"]
    command += ["--batch", str(options.batch)] if options.batch else []
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    lines = map(json.loads, out.splitlines())
    return {(line["problem"], line["dir"]): line for line in lines}


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("shapes")
    p.add_argument("--clgrad", default="build/clgrad")
    p.add_argument("--batch", type=int, help="instead of each problem's own")
    p.add_argument("--seconds", type=float, default=0.05, help="of each measurement")
    p.add_argument("--json", action="store_true")
    options = p.parse_args()
    try:
        import torch
    except ImportError:
        print("skipped: PyTorch is not installed for", sys.executable)
        return
    if not torch.cuda.is_available():
        print("skipped: PyTorch has no GPU here")
        return
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    ours = {layout: clgrad_lines(options, layout) for layout in ("preferred", "nchw")}
    for name, problem in problems(options.shapes):
        theirs = [torch_times(problem, options.batch, options.seconds, last)
                  for last in (False, True)]
        if theirs[0] is None:
            print("skipped:", name, "is padded unevenly", file=sys.stderr)
            continue
        for d in DIRECTIONS:
            best, nchw = ours["preferred"][name, d], ours["nchw"][name, d]
            peer = min(t[d] for t in theirs)
            line = {"problem": name, "dir": d, "ratio": peer / best["median_ms"],
                    "layout": "nchw" if peer == theirs[0][d] else "nhwc", "algo": best["algo"],
                    "ms": best["median_ms"], "peer_ms": peer,
                    "nchw_ratio": theirs[0][d] / nchw["median_ms"], "nchw_algo": nchw["algo"],
                    "nchw_ms": nchw["median_ms"], "nchw_peer_ms": theirs[0][d]}
            if options.json:
                print(json.dumps(line), flush=True)
            else:
                print(f"{name:26} {d:10} {best['algo']:18} {line['ms']:8.4f} ms  "
                      f"cuDNN {peer:8.4f} ms  ratio {line['ratio']:5.2f}  NCHW "
                      f"{line['nchw_ratio']:5.2f} ({nchw['algo']})", flush=True)


if __name__ == "__main__":
    main()
