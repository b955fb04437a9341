"""What each stage is worth, by defect: `facecom explain` on every case of a folder that `benchmarks.headline` cut.

    python benchmarks/ablation.py BENCH --keep FOLDER [--only nose] [--held-out] [--pages]

For each case the scan is completed as the command line does it, then the job is repeated with each stage left out. The
first table is the mean distance, in mm, of the missing truth to the face without each stage; the job is not told the
truth, it is read for the score alone. The second, with --held-out and for twice the time, is what the command itself
says, which has no truth: the error at an observed region that is held out from the runs. Values are kept in a folder,
a file a case, and a run that was stopped goes on from there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facecom.completion import complete
from facecom.errors import FacecomError
from facecom.geometry.closest_points import Surface
from facecom.report.ablation import HELD_OUT_RADIUS_MM, Ablation, ablate
from facecom.report.ablation_variants import ABLATION_VARIANTS
from facecom.report.explain import explain_html, explain_json

Case = Mapping[str, Any]


def truth_mm(case: Path, found: Ablation) -> list[float]:
    """Mean distance of the missing truth to each outcome's face; NaN where the outcome failed."""
    own = found.data.result.context
    with np.load(case / "truth.npz") as truth:
        missing = own.fit.pose.apply(truth["missing"] * own.scan.mm_per_unit)
    out = []
    for outcome in found.results:
        sound = np.isfinite(outcome.vertices).all()
        face = found.data.mean_face.with_vertices(outcome.vertices) if sound else None
        out.append(float(Surface(face).closest(missing).distance.mean()) if face else float("nan"))
    return out


def explained(case: Path, page: Path | None, *, held_out: bool) -> dict[str, Any]:
    """Figures of one case, or the sentence with which it was refused; the page where it is wanted."""
    since, meta = time.process_time(), json.loads((case / "meta.json").read_text(encoding="utf-8"))
    row: dict[str, Any] = {"case": case.name, "head": meta["head"], "defect": meta["defect"]}
    try:
        found = ablate(complete(case / "scan.ply"), radius_mm=HELD_OUT_RADIUS_MM if held_out else None)
    except FacecomError as error:
        return row | {"refused": str(error)}
    if page:
        page.write_text(explain_html(found, name=case.name), encoding="utf-8")
    return row | {
        "figures": explain_json(found),
        "truth_mm": {o.variant.name: mm for o, mm in zip(found.results, truth_mm(case, found), strict=True)},
        "page_bytes": page.stat().st_size if page else 0,
        "seconds": time.process_time() - since,
    }


def held_out_errors(row: Case) -> dict[str, float]:
    """Error at the held-out region by stage left out."""
    return {w["left_out"]: _number(w["held_out_error_mm"]) for w in row["figures"]["variants"]}


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def table(rows: Sequence[Case], figure: Callable[[Case], Mapping[str, float]]) -> str:
    """Markdown: a line for each stage left out, a column for each defect, means over the cases that have a figure."""
    defects = [*dict.fromkeys(r["defect"] for r in rows), "all"]
    lines = [f"| left out | {' | '.join(defects)} |", "| --- " + "| ---: " * len(defects) + "|"]
    values = [(r["defect"], figure(r)) for r in rows]
    for variant in ABLATION_VARIANTS:
        cells = []
        for wanted in defects:
            given = np.array([v[variant.name] for defect, v in values if wanted in ("all", defect)])
            cells.append(f"{np.nanmean(given):.2f}" if np.isfinite(given).any() else "none")
        lines.append(f"| {variant.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Make what is not there yet, then print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path, help="folder that benchmarks.headline cut")
    parser.add_argument("--keep", type=Path, required=True, help="folder for the figures, a JSON file a case")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument(
        "--held-out", action="store_true", help="hold an observed region out from further runs, as explain does"
    )
    parser.add_argument("--pages", action="store_true", help="keep explain.html of each case too")
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    rows = []
    for case in sorted(p for p in (options.bench / "cases").iterdir() if options.only in p.name):
        kept = options.keep / f"{case.name}.json"
        if not kept.exists():
            page = options.keep / f"{case.name}.html" if options.pages else None
            kept.write_text(
                json.dumps(explained(case, page, held_out=options.held_out), indent=1) + "\n", encoding="utf-8"
            )
        rows.append(json.loads(kept.read_text(encoding="utf-8")))
    sound = [r for r in rows if "figures" in r]
    problems = [f"{r['case']}: {r['refused']}" for r in rows if "refused" in r]
    problems += [f"{r['case']}: {w['problem']}" for r in sound for w in r["figures"]["variants"] if w["problem"]]
    largest = max((r["page_bytes"] for r in sound), default=0) / 1e6
    print(f"{len(rows)} cases, {len(rows) - len(sound)} refused; largest explain.html {largest:.2f} MB")
    print(*problems, sep="\n")
    print(f"\nmissing truth, mm\n\n{table(sound, lambda r: r['truth_mm'])}")
    with_region = [r for r in sound if r["figures"]["held_out_radius_mm"] > 0]
    if with_region:
        print(f"\nheld-out region, {len(with_region)} cases, mm\n\n{table(with_region, held_out_errors)}")


if __name__ == "__main__":
    main()
