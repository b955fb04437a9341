"""Seconds and memory of a completion against the size of the scan: prints a table, fits exponents, draws a plot.

    python benchmarks/cost.py [--scan FILE] [--vertices 25000 100000 ...] [--log FILE] [--plot PNG]

Each size is the scan thinned or split to that many vertices, completed by `facecom complete` in a process of its own:
the seconds of the stages come from its report, the peak memory is that of the process. An exponent is the slope of
log seconds against log vertices from 100,000 vertices upwards, by least squares; n log n has one of 1.07 to 1.09 there,
found in the same way. With --log each size is a line of JSON in that file, and what the file holds is not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from speed import DEMO, measured, resized

from facecom.errors import need
from facecom.scan.files import read_scan, write_mesh

SIZES = (25_000, 100_000, 400_000, 1_000_000, 2_500_000, 5_000_000)
LARGE = 100_000
"""From here upwards the fixed costs of a run count for little."""
Row = dict[str, Any]


def run_size(scan: Path, vertices: int, repeat: int) -> Row:
    """Stages in seconds and peak GB of a completion of the scan at that many vertices; the fastest of the runs."""
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "scan.ply", Path(folder) / "out"
        mesh = resized(read_scan(scan), vertices)
        write_mesh(path, mesh)
        runs = []
        for _ in range(repeat):
            command = [sys.executable, "-m", "facecom", "complete", str(path), "--out", str(out), "--quiet"]
            wall, memory = measured(command)
            stages = json.loads((out / "report.json").read_text(encoding="utf-8"))["seconds"]
            runs.append({"wall": wall, "memory": memory, "stages": stages})
    best: Row = min(runs, key=lambda run: run["wall"])
    return {"asked": vertices, "vertices": len(mesh.vertices)} | best


def rows(options: argparse.Namespace) -> list[Row]:
    """A row a size, from the log where it is there."""
    lines = options.log.read_text(encoding="utf-8").splitlines() if options.log and options.log.exists() else []
    known = {r["asked"]: r for r in map(json.loads, lines)}
    for size in options.vertices:
        if size not in known:
            known[size] = run_size(options.scan, size, options.repeat)
            if options.log:
                with options.log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(known[size]) + "\n")
    return [known[size] for size in options.vertices]


def series(table: list[Row]) -> dict[str, list[float]]:
    """Seconds of each stage, their sum and the whole command, a value a size."""
    found = {stage: [row["stages"][stage] for row in table] for stage in table[0]["stages"]}
    found["all stages"] = np.sum(list(found.values()), axis=0).tolist()
    return found | {"whole command": [row["wall"] for row in table]}


def exponent(vertices: Sequence[float], seconds: Sequence[float]) -> float:
    """Slope of log seconds against log vertices, by least squares, from `LARGE` vertices upwards; NaN without two."""
    n, t = np.asarray(vertices, float), np.asarray(seconds, float)
    large = (n >= 0.95 * LARGE) & (t > 0)
    if large.sum() < 2:
        return float("nan")
    return float(np.polyfit(np.log(n[large]), np.log(t[large]), 1)[0])


def lines(table: list[Row]) -> Iterator[str]:
    """The table, a column a size, and the verdict on n log n."""
    vertices = [row["vertices"] for row in table]
    bound = exponent(vertices, (np.array(vertices) * np.log(vertices)).tolist())
    yield f"| stage | {' | '.join(f'{n:,}' for n in vertices)} | exponent |\n| --- |{' ---: |' * (len(vertices) + 1)}"
    for name, values in series(table).items():
        yield f"| {name}, s | {' | '.join(f'{v:.2f}' for v in values)} | {exponent(vertices, values):.2f} |"
    yield f"| peak memory, GB | {' | '.join(f'{memory:.2f}' for memory in (r['memory'] for r in table))} | |"
    total = exponent(vertices, series(table)["all stages"])
    verdict = "no faster than" if total <= bound else "faster than"
    yield f"\nAll stages together grow {verdict} n log n: exponent {total:.2f}, that of n log n {bound:.2f}."


def plot(table: list[Row]) -> bytes:
    """Seconds against vertices on logarithmic axes, with n log n through the first large size (PNG bytes)."""
    from facecom.report import figures

    vertices, found = np.array([row["vertices"] for row in table], float), series(table)
    main = sorted((n for n in found if n not in ("all stages", "whole command")), key=lambda n: -found[n][-1])[:4]
    with figures._figure(1, size=(5.2, 3.6)) as (figure, (axis,)):
        for name, colour in zip(main, figures.SERIES, strict=False):
            axis.loglog(vertices, found[name], color=colour, linewidth=1, marker=".", label=name)
        axis.loglog(vertices, found["all stages"], color="black", linewidth=2, marker="o", label="all stages")
        first = int(np.argmax(vertices >= 0.95 * LARGE))
        growth = vertices * np.log(vertices)
        shape = growth / growth[first] * found["all stages"][first]
        axis.loglog(vertices[first:], shape[first:], color="#888888", linestyle="--", label="n log n")
        axis.set(xlabel="vertices of the scan", ylabel="seconds", title="Cost against size")
        axis.xaxis.set_major_formatter(need("matplotlib.ticker").FuncFormatter(lambda n, _: f"{n:,.0f}"))
        axis.legend(loc="upper left")
        return figures._png(figure)


def main() -> None:
    """Print the table, and draw the plot where one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scan", type=Path, default=DEMO / "nose.ply", help="a scan to thin and split")
    parser.add_argument("--vertices", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--repeat", type=int, default=1, help="runs of each size; the fastest counts")
    parser.add_argument("--log", type=Path, help="file for one line of JSON for each size")
    parser.add_argument("--plot", type=Path, help="PNG to write")
    options = parser.parse_args()
    table = rows(options)
    print("\n".join(lines(table)))
    if options.plot:
        options.plot.write_bytes(plot(table))


if __name__ == "__main__":
    main()
