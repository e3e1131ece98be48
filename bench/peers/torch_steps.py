#!/usr/bin/env python3
"""Whole training steps, clgrad against PyTorch: time, first step, peak memory.

    bench/peers/torch_steps.py [lenet5 resnet20 resnet18] [--clgrad build/clgrad] [--threads N]
    bench/peers/torch_steps.py --device cuda [--batch N]

On the CPU, or with cuda on a GPU, on which clgrad then runs, too (CLGRAD_DEVICE); there in float32
(TensorFloat-32 off), with cuDNN's fastest algorithms, and the memory is that of the host alone.

The same networks, batches and optimizer (cross entropy, SGD with momentum) on random images. The two
run alternately, each time in a process of its own, so that each one's peak memory is its own; of the
rounds' medians the best counts. Ratios are PyTorch's figure over clgrad's: above 1, clgrad needs less.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

# Batch, image, classes, steps of a round.
NETS = {"lenet5": (64, (1, 28, 28), 10, 200), "resnet20": (64, (3, 32, 32), 10, 15),
        "resnet18": (8, (3, 224, 224), 1000, 7), "resnet50": (8, (3, 224, 224), 1000, 5)}


def make(name):
    from torch import nn

    def conv(cin, cout, kernel, stride=1):
        return nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False)

    class Block(nn.Module):
        """Convolutions as (kernel, filters, stride), around which the input goes."""

        def __init__(self, cin, parts):
            super().__init__()
            layers, c, stride = [], cin, 1
            for kernel, filters, step in parts:
                layers += [conv(c, filters, kernel, step), nn.BatchNorm2d(filters), nn.ReLU()]
                c, stride = filters, stride * step
            self.inside = nn.Sequential(*layers[:-1])
            self.across = None
            if stride != 1 or c != cin:
                self.across = nn.Sequential(conv(cin, c, 1, stride), nn.BatchNorm2d(c))

        def forward(self, x):
            around = x if self.across is None else self.across(x)
            return nn.functional.relu(self.inside(x) + around)

    def stages(cin, widths, depths, bottleneck):
        for i, (width, depth) in enumerate(zip(widths, depths)):
            for j in range(depth):
                stride = 2 if i and not j else 1
                parts = ([(1, width, 1), (3, width, stride), (1, 4 * width, 1)] if bottleneck
                         else [(3, width, stride), (3, width, 1)])
                yield Block(cin, parts)
                cin = parts[-1][1]

    def resnet(depths, bottleneck):
        return nn.Sequential(conv(3, 64, 7, 2), nn.BatchNorm2d(64), nn.ReLU(),
                             nn.MaxPool2d(3, 2, 1),
                             *stages(64, [64, 128, 256, 512], depths, bottleneck),
                             nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                             nn.Linear(2048 if bottleneck else 512, 1000))

    if name == "lenet5":
        return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                             nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                             nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
                             nn.Linear(84, 10))
    if name == "resnet20":
        return nn.Sequential(conv(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(),
                             *stages(16, [16, 32, 64], [3, 3, 3], False),
                             nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    return resnet([2, 2, 2, 2], False) if name == "resnet18" else resnet([3, 4, 6, 3], True)


def torch_steps(name, batch, threads, channels_last, device):
    """In a process of its own: prints what `clgrad bench step --json` prints."""
    import torch
    _, image, classes, steps = NETS[name]
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    model = make(name).train().to(device)
    x = torch.rand(batch, *image, device=device)
    y = torch.randint(0, classes, (batch,), device=device)
    if channels_last:
        model, x = (t.to(memory_format=torch.channels_last) for t in (model, x))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    times = []
    for _ in range(steps + 3):
        start = time.perf_counter()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    print(json.dumps({"net": name, "batch": batch, "first_ms": 1e3 * times[0],
                      "median_ms": 1e3 * statistics.median(times[3:]),
                      "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}))


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def best(lines):
    """The round with the least median; its first step and memory are the least of all rounds."""
    return {key: min(line[key] for line in lines)
            for key in ("median_ms", "first_ms", "peak_rss_mb")}


def compare(options, name):
    batch = options.batch or NETS[name][0]
    ours = [options.clgrad, "bench", "step", "--model", name, "--batch", str(batch), "--seconds",
            str(options.seconds), "--json"]
    theirs = [sys.executable, __file__, name, "--torch", "--batch", str(batch), "--threads",
              str(options.threads), "--device", options.device]
    theirs += ["--channels-last"] * options.channels_last
    rounds = [(run(ours), run(theirs)) for _ in range(options.rounds)]
    a, b = best([r[0] for r in rounds]), best([r[1] for r in rounds])
    line = {"net": name, "batch": batch, "clgrad": a, "torch": b,
            "ratio": {key: b[key] / a[key] for key in a}}
    if options.json:
        print(json.dumps(line), flush=True)
        return
    for key in a:
        print(f"{name:9} {batch:5} {key:12} clgrad {a[key]:9.2f}  torch {b[key]:9.2f}  "
              f"ratio {b[key] / a[key]:6.2f}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("nets", nargs="*", default=["lenet5", "resnet20", "resnet18"])
    p.add_argument("--clgrad", default="build/clgrad")
    p.add_argument("--batch", type=int, help="instead of each network's own")
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="of PyTorch")
    p.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="of PyTorch")
    p.add_argument("--channels-last", action="store_true", help="PyTorch's memory format")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=0.5, help="of clgrad in each round")
    p.add_argument("--json", action="store_true")
    p.add_argument("--torch", action="store_true", help=argparse.SUPPRESS)
    options = p.parse_args()
    if options.torch:
        batch = options.batch or NETS[options.nets[0]][0]
        torch_steps(options.nets[0], batch, options.threads, options.channels_last,
                    options.device)
        return
    if subprocess.run([sys.executable, "-c", "import torch"], stderr=subprocess.DEVNULL,
                      check=False).returncode != 0:
        print("skipped: PyTorch is not installed for", sys.executable)
        return
    for name in options.nets:
        compare(options, name)


if __name__ == "__main__":
    main()
