#!/usr/bin/env python3
"""Draws the pictures of docs/*.md as SVG, next to this file: python3 docs/img/make.py

Plain Python 3, no packages. Numbers in the pictures are computed here, and the ways to compute
them that a picture shows are checked against each other.

Colours mean the same everywhere: X blue, K orange, Z green; a gradient has its tensor's colour in
full strength; grey is a zero that an algorithm put in; pink marks what the eye should follow.
"""
import os

FOLDER = os.path.dirname(os.path.abspath(__file__))
INK, FAINT, PAPER, FRAME, MARK = "#2b2b2b", "#77736a", "#fdfcf8", "#d8d3c6", "#c2185b"
# light fill, strong colour
X, K, Z, ZERO = ("#dce9f7", "#2c66a8"), ("#fde7cd", "#b4630e"), ("#dcf0dd", "#2b7a3f"), \
    ("#efede7", "#b9b4a7")


class Picture:
    """A canvas with its own paper, so that it reads on light and dark pages."""

    def __init__(self, name, width, height, title):
        self.name, self.parts = name, []
        self.parts.append(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" '
            f'font-family="DejaVu Sans, Verdana, Arial, sans-serif" font-size="13">\n'
            f'<title>{title}</title>\n'
            f'<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            f'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="{FAINT}"/></marker>'
            f'<pattern id="drop" width="6" height="6" patternUnits="userSpaceOnUse" '
            f'patternTransform="rotate(45)"><rect width="6" height="6" fill="{ZERO[0]}"/>'
            f'<line x1="0" y1="0" x2="0" y2="6" stroke="{ZERO[1]}" stroke-width="1.6"/></pattern>'
            f'</defs>\n'
            f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" '
            f'fill="{PAPER}" stroke="{FRAME}"/>')

    def rect(self, x, y, w, h, fill="none", stroke=FAINT, width=1.0, radius=0):
        self.parts.append(f'<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="{fill}" '
                          f'stroke="{stroke}" stroke-width="{width}" rx="{radius}"/>')

    def text(self, x, y, text, size=13, fill=INK, anchor="middle", weight="normal"):
        text = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        self.parts.append(f'<text x="{x}" y="{y}" font-size="{size}" fill="{fill}" '
                          f'text-anchor="{anchor}" font-weight="{weight}">{text}</text>')

    def lines(self, x, y, lines, size=13, fill=INK, anchor="start", step=19):
        for i, line in enumerate(lines):
            self.text(x, y + i * step, line, size, fill, anchor)

    def arrow(self, x1, y1, x2, y2, label=None, bend=0):
        middle = f"{(x1 + x2) / 2} {(y1 + y2) / 2 - bend}"
        self.parts.append(f'<path d="M{x1} {y1}Q{middle} {x2} {y2}" fill="none" '
                          f'stroke="{FAINT}" stroke-width="1.6" marker-end="url(#tip)"/>')
        if label:
            self.text((x1 + x2) / 2, (y1 + y2) / 2 - 9 - bend / 2, label, 12, FAINT)

    def cell(self, x, y, size, text, colour, strong=False, fill=None):
        self.rect(x, y, size, size, fill or (colour[1] if strong else colour[0]),
                  PAPER if strong else colour[1])
        ink = PAPER if strong else FAINT if colour is ZERO else INK
        if text is not None:
            scale = 0.42 if len(str(text)) < 3 else 0.32
            self.text(x + size / 2, y + size / 2 + size * scale * 0.36, text, round(size * scale),
                      ink)

    def grid(self, x, y, rows, size, colour, title=None, strong=False):
        """Rows of values; None is an empty cell, "." a zero that was put in."""
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                zero = value == "."
                self.cell(x + j * size, y + i * size, size, "0" if zero else value,
                          ZERO if zero else colour, strong and not zero)
        if title:
            self.text(x + len(rows[0]) * size / 2, y - 10, title, 14, colour[1], weight="bold")

    def window(self, x, y, rows, columns, size):
        self.rect(x, y, columns * size, rows * size, "none", MARK, 3, 3)

    def save(self):
        with open(os.path.join(FOLDER, self.name), "w", encoding="utf-8") as file:
            file.write("\n".join(self.parts) + "\n</svg>\n")


# ---- The arithmetic of the pictures ----

def convolve(x, k, stride=1):
    rows = (len(x) - len(k)) // stride + 1
    columns = (len(x[0]) - len(k[0])) // stride + 1
    return [[sum(x[p * stride + r][q * stride + s] * k[r][s]
                 for r in range(len(k)) for s in range(len(k[0])))
             for q in range(columns)] for p in range(rows)]


def spread(x, stride, put):
    """stride - 1 times `put` between neighbours."""
    rows, columns = (len(x) - 1) * stride + 1, (len(x[0]) - 1) * stride + 1
    return [[x[i // stride][j // stride] if i % stride == 0 and j % stride == 0 else put
             for j in range(columns)] for i in range(rows)]


def pad(x, by, put):
    side = [put] * by
    edge = [[put] * (len(x[0]) + 2 * by) for _ in range(by)]
    return edge + [side + list(row) + side for row in x] + edge


def rotate(k):
    return [row[::-1] for row in k[::-1]]


def numbers(rows):
    return [[0 if v == "." else v for v in row] for row in rows]


def input_gradient(dz, k, stride, size):
    """From the definition: every output gives its gradient back through its window."""
    dx = [[0] * size for _ in range(size)]
    for p, row in enumerate(dz):
        for q, value in enumerate(row):
            for r, taps in enumerate(k):
                for s, tap in enumerate(taps):
                    dx[p * stride + r][q * stride + s] += value * tap
    return dx


# ---- The pictures ----

def sliding_window():
    x = [[1 if j >= 4 else 0 for j in range(8)] for _ in range(8)]
    k = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
    z = convolve(x, k)
    assert all(row == [0, 0, 4, 4, 0, 0] for row in z)
    p = Picture("sliding_window.svg", 760, 350, "A filter slides over an image")
    p.grid(30, 50, x, 30, X, "X  8 × 8: dark left, bright right")
    p.grid(345, 95, k, 34, K, "K  3 × 3: Sobel")
    p.grid(530, 80, z, 32, Z, "Z  6 × 6: the edge")
    p.window(30 + 2 * 30, 50 + 3 * 30, 3, 3, 30)
    p.window(530 + 2 * 32, 80 + 3 * 32, 1, 1, 32)
    p.window(345, 95, 3, 3, 34)
    p.arrow(278, 146, 337, 146)
    p.arrow(455, 146, 522, 146)
    p.text(396, 240, "0 (-1) + 0 (0) + 1 (1)", 12)
    p.text(396, 258, "+ 0 (-2) + 0 (0) + 1 (2)", 12)
    p.text(396, 276, "+ 0 (-1) + 0 (0) + 1 (1) = 4", 12)
    p.text(380, 330, "size of Z:  floor((W - K + 2P) / S) + 1  =  floor((8 - 3 + 0) / 1) + 1  =  6",
           13, FAINT)
    p.save()


def stride():
    x = [[(3 * i + 5 * j + i * j) % 10 for j in range(7)] for i in range(7)]
    k = [[1, 0, -1], [0, 2, 0], [-1, 0, 1]]
    every, two = convolve(x, k), convolve(x, k, 2)
    assert two == [row[::2] for row in every[::2]]
    p = Picture("stride.svg", 760, 330, "Stride 2 is stride 1 with rows and columns dropped")
    p.grid(30, 60, x, 30, X, "X  7 × 7")
    p.text(135, 296, "floor((7 - 3) / 2) + 1 = 3", 12, FAINT)
    p.grid(253, 60, k, 20, K, "K")
    for i in range(5):
        for j in range(5):
            kept = i % 2 == 0 and j % 2 == 0
            p.cell(320 + 36 * j, 75 + 36 * i, 36, every[i][j], Z if kept else ZERO,
                   fill=None if kept else "url(#drop)")
    p.text(410, 65, "stride 1, then drop", 14, Z[1], weight="bold")
    p.text(410, 276, "every other row and column goes", 12, FAINT)
    p.grid(605, 111, two, 36, Z, "stride 2: Z  3 × 3")
    p.arrow(248, 165, 312, 165)
    p.arrow(508, 165, 597, 165, "keep")
    p.save()


def input_gradient_picture():
    dz, k = [[1, 2], [3, 4]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    zeros = spread(dz, 2, ".")
    full = pad(zeros, 2, ".")
    dx = convolve(numbers(full), rotate(k))
    assert dx == input_gradient(dz, k, 2, 5)
    p = Picture("input_gradient.svg", 900, 380, "The gradient of the input: a full convolution")
    p.grid(30, 120, dz, 34, Z, "dZ  2 × 2", strong=True)
    p.grid(165, 103, zeros, 34, Z, "zero-dilated", strong=True)
    p.grid(340, 60, full, 30, Z, "padded by kernel - 1", strong=True)
    p.grid(590, 60, rotate(k), 30, K, "K rotated by 180°")
    p.grid(715, 60, dx, 32, X, "dX  5 × 5", strong=True)
    p.grid(590, 235, k, 22, K)
    p.text(623, 320, "K", 13, K[1], weight="bold")
    p.arrow(623, 228, 623, 158)
    p.arrow(104, 154, 158, 154)
    p.arrow(273, 154, 333, 154)
    p.window(340 + 2 * 30, 60 + 2 * 30, 3, 3, 30)
    p.window(590, 60, 3, 3, 30)
    p.window(715 + 2 * 32, 60 + 2 * 32, 1, 1, 32)
    p.arrow(557, 105, 583, 105)
    p.arrow(686, 105, 709, 105)
    p.text(180, 232, "stride - 1 = 1 zero between", 12, FAINT)
    p.text(180, 250, "neighbours", 12, FAINT)
    p.text(445, 292, "2 zeros on each side: every window", 12, FAINT)
    p.text(445, 310, "that touches dZ counts", 12, FAINT)
    assert dx[2][2] == 1 * 9 + 2 * 7 + 3 * 3 + 4 * 1
    p.text(795, 246, "1·9 + 2·7 + 3·3 + 4·1 = 36", 12)
    p.text(795, 268, "the four windows that", 12, FAINT)
    p.text(795, 285, "saw the middle of X", 12, FAINT)
    p.text(450, 355, "dX = full convolution of dZ, zero-dilated by stride - 1 and padded by kernel - 1, "
                     "with K rotated by 180°", 13, FAINT)
    p.save()


def filter_gradient():
    p = Picture("filter_gradient.svg", 820, 330, "The gradient of the filter and of the bias")
    names = [[f"x{i}{j}" for j in (1, 2, 3)] for i in (1, 2, 3)]
    dz = [[f"d{i}{j}" for j in (1, 2)] for i in (1, 2)]
    p.grid(30, 60, names, 46, X, "X  3 × 3")
    p.grid(230, 83, dz, 46, Z, "dZ  2 × 2", strong=True)
    p.text(193, 137, "*", 26, FAINT)
    p.text(350, 136, "=", 22, FAINT)
    colour, x0, y0, wide, high = K, 385, 60, 205, 69
    p.text(x0 + wide, y0 - 10, "dK  2 × 2", 14, colour[1], weight="bold")
    for r in range(2):
        for s in range(2):
            sums = [f"x{r + i}{s + j} d{i}{j}" for i in (1, 2) for j in (1, 2)]
            x, y = x0 + s * wide, y0 + r * high
            p.rect(x, y, wide, high, colour[1], PAPER)
            p.text(x + wide / 2, y + 30, " + ".join(sums[:2]), 13, PAPER)
            p.text(x + wide / 2, y + 50, "+ " + " + ".join(sums[2:]), 13, PAPER)
    p.window(30 + 46, 60, 2, 2, 46)
    p.window(230, 83, 2, 2, 46)
    p.rect(x0 + wide, y0, wide, high, "none", MARK, 3, 3)
    p.text(30, 236, "dB = d11 + d12 + d21 + d22", 14, Z[1], "start", "bold")
    p.text(270, 236, "every output has the bias in it once: its gradient is the sum of dZ", 12,
           FAINT, "start")
    p.text(30, 266, "dK = convolution of X with dZ", 14, K[1], "start", "bold")
    p.text(30, 288, "tap (r, s) of the filter met x(p+r, q+s) whenever output (p, q) was made. "
                    "With a stride, dZ is zero-dilated", 12, FAINT, "start")
    p.text(30, 306, "first; with a batch, the sums of all images are added.", 12, FAINT, "start")
    p.save()


def im2col():
    channels, size, taps = 2, 3, 2
    p = Picture("im2col.svg", 880, 400, "im2col: convolution as one matrix product")
    blue = [("#dce9f7", X[1]), ("#b7d2ef", X[1])]
    value = lambda c, i, j: "abcdefghi"[3 * i + j] if c == 0 else "ABCDEFGHI"[3 * i + j]
    for c in range(channels):
        p.grid(30, 75 + 130 * c, [[value(c, i, j) for j in range(size)] for i in range(size)], 32,
               blue[c], f"X, channel {c}")
        p.window(30, 75 + 130 * c, taps, taps, 32)
    for c in range(channels):
        for r in range(taps):
            for s in range(taps):
                row = (c * taps + r) * taps + s
                for column in range(4):
                    cell = value(c, column // 2 + r, column % 2 + s)
                    p.cell(470 + 32 * column, 75 + 30 * row, 30, cell, blue[c])
    p.window(468, 73, 8, 1, 30.5)
    p.text(534, 55, "columns: C R S × P Q", 14, X[1], weight="bold")
    p.text(534, 338, "one column for each of the 4 windows", 12, FAINT)
    p.arrow(132, 85, 462, 85, bend=30)
    p.text(285, 115, "each window becomes a column", 12, FAINT)
    for k in range(2):
        for t in range(8):
            p.cell(175 + 32 * t, 165 + 32 * k, 30, f"{'uv'[k]}{t + 1}", K)
    p.text(303, 150, "filters: K × C R S", 14, K[1], weight="bold")
    p.text(303, 250, "w as it lies in memory: KCRS", 12, FAINT)
    p.text(449, 202, "·", 30, FAINT)
    p.text(640, 202, "=", 22, FAINT)
    for k in range(2):
        for column in range(4):
            p.cell(680 + 36 * column, 160 + 36 * k, 34, f"z{k + 1}{column + 1}", Z)
    p.window(679, 159, 2, 1, 35.5)
    p.text(752, 145, "Z: K × P Q", 14, Z[1], weight="bold")
    p.text(752, 256, "y as it lies in memory", 12, FAINT)
    p.text(440, 378, "backward:  d columns = filtersᵀ · dZ, then every pixel gathers its copies "
                     "(col2im);   dK = dZ · columnsᵀ", 13, FAINT)
    p.save()


def max_pool():
    x = [[1, 3, 2, 1], [4, 2, 6, 5], [7, 8, 3, 0], [6, 5, 1, 9]]
    dz = [["a", "b"], ["c", "d"]]
    best = {}
    for p0 in range(2):
        for q0 in range(2):
            best[max(((2 * p0 + r, 2 * q0 + s) for r in range(2) for s in range(2)),
                     key=lambda at: x[at[0]][at[1]])] = dz[p0][q0]
    p = Picture("max_pool.svg", 840, 290, "Max pooling and its gradient")
    p.grid(30, 60, x, 42, X, "X  4 × 4")
    for i in (0, 2):
        for j in (0, 2):
            p.rect(30 + 42 * j, 60 + 42 * i, 84, 84, "none", X[1], 2.5)
    for i, j in best:
        p.window(30 + 42 * j + 2, 60 + 42 * i + 2, 1, 1, 38)
    p.grid(280, 102, [[max(x[2 * i + r][2 * j + s] for r in range(2) for s in range(2))
                       for j in range(2)] for i in range(2)], 42, Z, "Z  2 × 2")
    p.grid(455, 102, dz, 42, Z, "dZ  2 × 2", strong=True)
    p.grid(630, 60, [[best.get((i, j), ".") for j in range(4)] for i in range(4)], 42, X,
           "dX  4 × 4", strong=True)
    p.arrow(205, 144, 272, 144, "max")
    p.arrow(546, 144, 623, 144, "back")
    p.text(150, 258, "window 2 × 2, stride 2", 12, FAINT)
    p.text(560, 258, "the gradient of a window goes to its maximum, the first one on a tie",
           12, FAINT)
    p.save()


def pad_modes():
    p = Picture("pad_modes.svg", 620, 250, "The padding modes")
    rows = [("zeros", "00abcd00"), ("constant", "vvabcd" + "vv"), ("reflect", "cbabcdcb"),
            ("replicate", "aaabcddd"), ("circular", "cdabcdab")]
    notes = ["", "v is yours", "mirrored; the edge is not repeated", "the nearest element",
             "periodic"]
    for i, ((name, cells), note) in enumerate(zip(rows, notes)):
        y = 30 + 40 * i
        p.text(105, y + 21, name, 13, X[1], "end", "bold")
        for j, value in enumerate(cells):
            p.cell(120 + 30 * j, y, 30, value, X if 2 <= j < 6 else ZERO)
        p.text(375, y + 20, note, 12, FAINT, "start")
    p.save()


def layers():
    p = Picture("layers.svg", 760, 440, "The layers of clgrad")
    ink = {"cli": ("#f3e3ef", "#8a3c78"), "train": K, "ops": Z, "runtime": X,
           "io": ("#e6e3f5", "#5747a0"), "base": ("#efede7", "#6d6a60")}

    def box(x, y, w, h, name, *text):
        light, strong = ink[name]
        p.rect(x, y, w, h, light, strong, 1.6, 8)
        p.text(x + 16, y + 26, name, 16, strong, "start", "bold")
        p.lines(x + 16, y + 47, text, 12, INK, step=17)

    def outside(x, y, w, text):
        p.rect(x, y, w, 34, PAPER, FAINT, 1.2, 6)
        p.text(x + w / 2, y + 22, text, 12.5, FAINT)

    box(24, 22, 712, 66, "cli", "the program: info, op, verify, train, eval, demo")
    box(24, 100, 712, 66, "train",
        "models: graph of layers, memory plan, training step, batches of images, checkpoints")
    box(24, 178, 470, 66, "ops",
        "conv2d, pool2d, batch_norm, linear, optimizer ...: plans, algorithms")
    box(24, 256, 470, 66, "runtime",
        "device, context, buffers, tensors, program cache, launch, GEMM")
    box(506, 178, 230, 144, "io", "npy, IDX, safetensors,", "the embedded digits", "",
        "knows no OpenCL")
    box(24, 334, 712, 50, "base")
    p.text(90, 364, "status codes, the last error, version, counter-based random numbers", 12,
           INK, "start")
    outside(24, 396, 110, "OpenCL 1.2")
    outside(144, 396, 90, "CLBlast")
    outside(244, 396, 90, "SQLite")
    outside(506, 396, 90, "zlib")
    outside(606, 396, 130, "jansson")
    p.text(420, 418, "by runtime", 12, FAINT)
    p.save()


def main():
    for draw in (sliding_window, stride, input_gradient_picture, filter_gradient, im2col, max_pool,
                 pad_modes, layers):
        draw()


if __name__ == "__main__":
    main()
