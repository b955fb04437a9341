"""Parts over scans of wounds: designed by the whole command, one case after another, and what their checks measured.

    python -m benchmarks.wound_parts CASES PARTS [--only nose orbit ear eye] [--table]

CASES/NAME/scan.ply and CASES/NAME/mark.ply are as `woundbench.py` lays them, with names HEAD_PLACE_KIND. For each
case with one of these words in its name runs

    facecom prosthesis CASES/NAME/scan.ply --missing CASES/NAME/mark.ply --out PARTS/NAME/part

and afterwards prints Markdown: the worst of each place, and a row for each part. `--table` reads folders that are there
and runs nothing. A case without a part is a row with the reason.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facecom.prosthesis.settings import CheckBounds

REFUSED = "refused.txt"
"""What the command said, in the folder of a case without a part."""
HEAD = "cm3 | overlap in the seat | on the way off | thinnest, mm | least margin, mm | self-intersections | watertight"
UNITS = "---: | --- | --- | ---: | ---: | ---: | ---"


@dataclass(frozen=True)
class Row:
    """What the check of one part measured: the case, the place of the wound, plain values and the bounds broken."""

    name: str
    place: str
    found: dict[str, Any]
    edge_mm: float
    bounds: CheckBounds


def run(case: Path, folder: Path) -> None:
    """Design the parts of one case, in a process of its own."""
    mark = case / "mark.ply"
    command = [sys.executable, "-m", "facecom", "prosthesis", str(case / "scan.ply"), "--missing", str(mark)]
    done = subprocess.run([*command, "--out", str(folder / "part"), "--quiet"], capture_output=True, text=True)
    refusal = folder / REFUSED
    refusal.unlink(missing_ok=True)
    if not inspections(folder):
        folder.mkdir(parents=True, exist_ok=True)
        refusal.write_text(f"exit {done.returncode}: {done.stderr.strip()}\n")


def inspections(folder: Path) -> list[Path]:
    """The inspections of the parts of one case: there may be several."""
    return sorted(folder.glob("part/inspection.json")) + sorted(folder.glob("part/part_*/inspection.json"))


def rows_of(folder: Path) -> list[Row]:
    """The rows of one case."""
    files = inspections(folder)
    numbers = [f", part {k + 1}" if len(files) > 1 else "" for k in range(len(files))]
    return [_row(file, folder.name, number) for file, number in zip(files, numbers, strict=True)]


def _row(file: Path, case: str, number: str) -> Row:
    settings = json.loads(file.with_name("prosthesis.json").read_text())["settings"]
    found = json.loads(file.read_text())
    return Row(case + number, case.split("_")[1], found, settings["edge_mm"], CheckBounds(**settings["bounds"]))


def figures(row: Row) -> str:
    """One line of the table: what is beyond its bound is bold."""
    f, b = row.found, row.bounds

    def overlap(what: str) -> str:
        volume, depth = f[f"{what}_overlap_mm3"], f[f"{what}_overlap_deepest_mm"]
        return (
            f"{_bold(f'{volume:.1f}', volume > b.overlap_mm3)} mm3, "
            f"{_bold(f'{depth:.2f}', depth > b.overlap_deepest_mm)} mm"
        )

    crossed, thinnest = f["self_intersections"], f["thinnest_mm"]
    return " | ".join(
        [
            f"| {row.name}",
            f"{f['volume_mm3'] / 1000:.1f}",
            overlap("tissue"),
            overlap("withdrawal"),
            _bold(f"{thinnest:.2f}", thinnest < row.edge_mm),
            f"{f['margin']['min']:.1f}",
            _bold(str(crossed), crossed > 0),
            f"{'yes' if f['watertight'] else '**no**'} |",
        ]
    )


def _bold(text: str, wanted: bool) -> str:
    return f"**{text}**" if wanted else text


def summary(rows: list[Row]) -> list[str]:
    """For each place the worst of its parts, as lines of a table."""
    lines = [
        "| place | parts | cm3 | overlap in the seat, at most | on the way off | thinnest, mm | least margin, mm | "
        "self-intersections | watertight | within all bounds |",
        "| --- | ---: | --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for place in sorted({row.place for row in rows}):
        group = [row for row in rows if row.place == place]
        found = [row.found for row in group]
        cm3 = sorted(f["volume_mm3"] / 1000 for f in found)
        lines.append(
            f"| {place} | {len(group)} | {cm3[0]:.1f} to {cm3[-1]:.1f} | {_most(found, 'tissue')} | "
            f"{_most(found, 'withdrawal')} | {min(f['thinnest_mm'] for f in found):.2f} | "
            f"{min(f['margin']['min'] for f in found):.1f} | {max(f['self_intersections'] for f in found)} | "
            f"{sum(f['watertight'] for f in found)} | {sum(not f['broken'] for f in found)} |"
        )
    return lines


def _most(found: list[dict[str, Any]], what: str) -> str:
    volume, depth = (max(f[f"{what}_overlap_{unit}"] for f in found) for unit in ("mm3", "deepest_mm"))
    return f"{volume:.1f} mm3, {depth:.2f} mm"


def main() -> None:
    """Run the cases that are asked for, print the tables."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("cases", type=Path, metavar="CASES")
    p.add_argument("parts", type=Path, metavar="PARTS")
    p.add_argument("--only", nargs="+", default=["nose", "orbit", "ear", "eye"], help="cases, or words of their names")
    p.add_argument("--table", action="store_true", help="run nothing")
    options = p.parse_args()
    names = [c.parent.name for c in sorted(options.cases.glob("*/mark.ply"))]
    names = [name for name in names if {name, *name.split("_")} & set(options.only)]
    for name in names if not options.table else ():
        run(options.cases / name, options.parts / name)
        print(name, file=sys.stderr, flush=True)
    rows = [row for name in names for row in rows_of(options.parts / name)]
    print("\n".join([*summary(rows), "", f"| | {HEAD} |", f"| --- | {UNITS} |", *map(figures, rows)]))
    for name in names:
        if not inspections(options.parts / name):
            refusal = options.parts / name / REFUSED
            print(f"| {name} | {refusal.read_text().strip() if refusal.exists() else 'not run'} |")


if __name__ == "__main__":
    main()
