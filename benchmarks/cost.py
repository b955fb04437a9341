"""Seconds and memory of a completion against the size of the scan: prints a table, fits exponents, draws a plot.

    python benchmarks/cost.py [--scan FILE] [--vertices 25000 100000 ...] [--scans FOLDER] [--log FILE] [--plot PNG]

Each size is the scan thinned or split to that many vertices (--scans keeps the files), completed by `complete()` in a
process of its own: the seconds of the stages come from its report, the processor's seconds and the peak memory are
those of the process from its first stage to its last. An exponent is the slope of log seconds against log vertices from
100,000 vertices upwards, by least squares, and once more between the two largest sizes, where the fixed costs count
least; those of n log n are found in the same way. With --log each size is a line of
JSON in that file, and what the file holds is not run again.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from speed import DEMO, resized

from facecom.completion import complete
from facecom.io.files import read_scan, write_mesh
from facecom.model.linear.generator import LinearGenerator

SIZES = (25_000, 100_000, 400_000, 1_000_000, 2_500_000, 5_000_000)
LARGE = 100_000
"""From here upwards the fixed costs of a run count for little."""
PROCESSOR = "all stages, of the processor"
Row = dict[str, Any]


def run_size(scan: Path, vertices: int, folder: Path) -> Row:
    """Stages in seconds, processor seconds and peak GB of a completion of the scan at that many vertices."""
    path = folder / f"{vertices}.ply"
    if not path.exists():
        write_mesh(path, resized(read_scan(scan), vertices))
    done = subprocess.run(
        [sys.executable, __file__, "--complete", str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"the completion of {vertices:,} vertices ended with {done.returncode}:\n{done.stderr}")
    found: Row = json.loads(done.stdout.splitlines()[-1])
    return {"asked": vertices} | found


def complete_one(path: Path) -> Row:
    """Complete a scan and say what it took; the model is there before the clocks start."""
    scan, model = read_scan(path), LinearGenerator.load()
    began, processor = time.perf_counter(), time.process_time()
    done = complete(scan, model=model)
    row = {"vertices": len(scan.vertices), "wall": time.perf_counter() - began}
    row["processor"] = time.process_time() - processor
    row["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    quick = ("read", "load model", "guide")
    return row | {"stages": {k: v for k, v in done.report.seconds.items() if k not in quick}}


def rows(options: argparse.Namespace) -> list[Row]:
    """A row a size, from the log where it is there."""
    lines = options.log.read_text(encoding="utf-8").splitlines() if options.log and options.log.exists() else []
    known = {r["asked"]: r for r in map(json.loads, lines)}
    with tempfile.TemporaryDirectory() as folder:
        for size in options.vertices:
            if size not in known:
                known[size] = run_size(options.scan, size, options.scans or Path(folder))
                if options.log:
                    with options.log.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(known[size]) + "\n")
    return [known[size] for size in options.vertices]


def series(table: list[Row]) -> dict[str, list[float]]:
    """Seconds of each stage, their sum and those of the processor, a value a size."""
    found = {stage: [row["stages"][stage] for row in table] for stage in table[0]["stages"]}
    found["all stages"] = np.sum(list(found.values()), axis=0).tolist()
    return found | {PROCESSOR: [row["processor"] for row in table]}


def exponent(vertices: Sequence[float], seconds: Sequence[float]) -> float:
    """Slope of log seconds against log vertices, by least squares, from `LARGE` vertices upwards; NaN without two."""
    n, t = np.asarray(vertices, float), np.asarray(seconds, float)
    large = (n >= 0.95 * LARGE) & (t > 0)
    if large.sum() < 2:
        return float("nan")
    return float(np.polyfit(np.log(n[large]), np.log(t[large]), 1)[0])


def exponents(vertices: Sequence[float], seconds: Sequence[float]) -> tuple[float, float]:
    """The exponent over all large sizes, and that of the last step."""
    return exponent(vertices, seconds), exponent(vertices[-2:], seconds[-2:])


def lines(table: list[Row]) -> Iterator[str]:
    """The table, a column a size, and the verdict on n log n."""
    vertices = [row["vertices"] for row in table]
    yield f"| stage | {' | '.join(f'{n:,}' for n in vertices)} | exponent | last step |"
    yield f"| --- |{' ---: |' * (len(vertices) + 2)}"
    for name, values in series(table).items():
        both = exponents(vertices, values)
        yield f"| {name}, s | {' | '.join(f'{v:.2f}' for v in values)} | {both[0]:.2f} | {both[1]:.2f} |"
    yield f"| peak memory, GB | {' | '.join(f'{memory:.2f}' for memory in (r['memory'] for r in table))} | | |"
    total = exponents(vertices, series(table)["all stages"])
    bound = exponents(vertices, (np.array(vertices) * np.log(vertices)).tolist())
    if not np.isfinite(total).all():
        yield "\nWith fewer than two large sizes there is no exponent."
        return
    verdict = "no faster than" if total[0] <= bound[0] and total[1] <= bound[1] else "faster than"
    yield (
        f"\nAll stages together grow {verdict} n log n: exponent {total[0]:.2f}, in the last step {total[1]:.2f}; "
        f"those of n log n {bound[0]:.2f} and {bound[1]:.2f}."
    )


def plot(table: list[Row]) -> bytes:
    """Seconds against vertices on logarithmic axes, with n log n through the first large size (PNG bytes)."""
    from facecom.report.figures import line_plot

    vertices, found = np.array([row["vertices"] for row in table], float), series(table)
    total = np.array(found["all stages"])
    longest = sorted((n for n in found if n not in ("all stages", PROCESSOR)), key=lambda n: -found[n][-1])[:4]
    first = int(np.argmax(vertices >= 0.95 * LARGE))
    growth = vertices * np.log(vertices)
    return line_plot(
        {name: (vertices, found[name]) for name in ("all stages", *longest)},
        xlabel="vertices of the scan",
        ylabel="seconds",
        title="Cost against size",
        logarithmic=True,
        reference={"n log n": (vertices[first:], (growth / growth[first] * total[first])[first:])},
    )


def main() -> None:
    """Print the table, and draw the plot where one is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scan", type=Path, default=DEMO / "nose.ply", help="a scan to thin and split")
    parser.add_argument("--vertices", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--scans", type=Path, help="folder where the scans made are kept, and looked for")
    parser.add_argument("--log", type=Path, help="file for one line of JSON for each size")
    parser.add_argument("--plot", type=Path, help="PNG to write")
    parser.add_argument("--complete", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.complete:
        print(json.dumps(complete_one(options.complete)))
        return
    table = rows(options)
    print("\n".join(lines(table)))
    if options.plot:
        options.plot.write_bytes(plot(table))


if __name__ == "__main__":
    main()
