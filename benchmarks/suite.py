"""The tables of a suite that facebench scored, and a second suite from heads and seeds on which nothing was chosen.

    python benchmarks/suite.py others FACEBENCH.PY BENCH [--data DATA]
    python benchmarks/suite.py tables BENCH/score.json [--beside linear_ict_dev.json]

`others` cuts, with facebench's own functions, all nine defects into the thirteen SIMPOP faces that are not in the dev
suite (every second pair of face and defect) and, with another seed, into the two real heads: three units, poses to 40
degrees, clutter on two of three heads. `facebench.py run` and `score` take it from there.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

DEV_SIMPOP = (1, 4, 7, 10, 13, 16, 19)
SEED = 7
LOG = logging.getLogger(__name__)
Row = dict[str, Any]


def tables(rows: Sequence[Row], beside: Sequence[Row] = ()) -> str:
    """Markdown: error by defect, with another method's beside it where given, and missing by head and defect."""
    rows = [row for row in rows if "missing" in row]
    defects = list(dict.fromkeys(row["defect"] for row in rows))
    head = "| defect | cases | missing | p95 | seen | kept, least | holes, most |"
    lines = [head + " other: missing | seen |" if beside else head, "| --- " * (9 if beside else 7) + "|"]
    lines += [_defect_row(name, _of(rows, "defect", name), _of(beside, "defect", name)) for name in defects]
    lines += [_defect_row("all", rows, beside), "", "| head | " + " | ".join(defects) + " | seen |"]
    lines.append("| --- " * (len(defects) + 2) + "|")
    for name in dict.fromkeys(row["head"] for row in rows):
        own = _of(rows, "head", name)
        cells = [_mean(_of(own, "defect", defect), "missing") for defect in defects]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {_mean(own, 'seen', digits=3)} |")
    return "\n".join(lines)


def _defect_row(name: str, rows: Sequence[Row], beside: Sequence[Row]) -> str:
    cells = [name, str(len(rows)), _mean(rows, "missing"), _mean(rows, "p95"), _mean(rows, "seen", digits=3)]
    cells += [f"{min(row['kept'] for row in rows):.4f}", str(max(row["holes"] for row in rows))]
    cells += [_mean(beside, "missing"), _mean(beside, "seen")] if beside else []
    return "| " + " | ".join(cells) + " |"


def _of(rows: Iterable[Row], key: str, value: str) -> list[Row]:
    return [row for row in rows if row[key] == value]


def _mean(rows: Sequence[Row], key: str, *, digits: int = 2) -> str:
    return f"{np.mean([row[key] for row in rows]):.{digits}f}" if rows else ""


def make_others(facebench: ModuleType, bench: Path, data: Path) -> int:
    """Cut the cases of the second suite; how many there are."""
    others = [number for number in range(1, 21) if number not in DEV_SIMPOP]
    simulated = list(facebench.simpop_heads(data, others))
    real = [head for head in facebench.dev_heads(data) if not head["name"].startswith("simpop")]
    count = 0
    for k, head in enumerate(simulated + real):
        for j, defect in enumerate(facebench.DEFECTS):
            if k < len(simulated) and (k + j) % 2:
                continue
            unit = ("mm", "cm", "m")[(k + j) % 3]
            facebench.make_case(bench, head, defect, SEED, unit=unit, clutter=2 * (k % 3), max_angle=40.0)
            count += 1
    return count


def _loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("facebench", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no Python file; give the path of facebench.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Make the suite, or print the tables."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    making = verbs.add_parser("others")
    making.add_argument("facebench", type=Path)
    making.add_argument("bench", type=Path)
    making.add_argument("--data", type=Path, help="folder of the heads; by default that beside facebench's own")
    printing = verbs.add_parser("tables")
    printing.add_argument("score", type=Path)
    printing.add_argument("--beside", type=Path, help="the same of another method")
    chosen = parser.parse_args()
    if chosen.verb == "others":
        data = chosen.data or chosen.facebench.resolve().parent.parent / "data"
        LOG.info("%d cases", make_others(_loaded(chosen.facebench), chosen.bench, data))
        return
    beside = json.loads(chosen.beside.read_text()) if chosen.beside else []
    print(tables(json.loads(chosen.score.read_text()), beside))


if __name__ == "__main__":
    main()
