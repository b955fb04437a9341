"""Cut the cases of a suite, complete each in this process, score what was written."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import facecom
from benchmarks.headline.cutting import SuiteName, cut, suite, write_case
from benchmarks.headline.heads import read_head
from benchmarks.headline.linear_fit import LinearFace, fit_linear
from benchmarks.headline.scoring import Row, face_errors, score_case

LOG = logging.getLogger(__name__)


def make_cases(out: Path, data: Path, name: SuiteName, *, only: str = "") -> None:
    """Write OUT/cases/NAME of each case whose name holds `only`."""
    heads: dict[str, facecom.Mesh] = {}
    for head, case in suite(name):
        if only in case.name:
            heads.setdefault(head.name, read_head(head, data))
            write_case(out / "cases" / case.name, case, cut(heads[head.name], case))


def case_folders(out: Path, *, only: str = "") -> list[Path]:
    """The cases in a folder, by name."""
    return [folder for folder in sorted((out / "cases").iterdir()) if only in folder.name]


def run_case(case: Path, result: Path) -> None:
    """Complete scan.ply with nothing told, write the files and how long it took, or why it was refused."""
    result.mkdir(parents=True, exist_ok=True)
    for stale in ("face.ply", "merged.ply"):
        (result / stale).unlink(missing_ok=True)
    wall, cpu = time.perf_counter(), time.process_time()
    row: Row = {}
    try:
        facecom.complete(case / "scan.ply").save(result)
    except facecom.FacecomError as error:
        row = {"refused": str(error)}
    times = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    row |= {key: round(value, 2) for key, value in times.items()}
    (result / "run.json").write_text(json.dumps(row) + "\n", encoding="utf-8")


def run(out: Path, *, only: str = "") -> None:
    """Complete each case of a folder."""
    for case in case_folders(out, only=only):
        run_case(case, out / "results" / case.name)
        row = score_case(case, out / "results" / case.name)
        LOG.info("%-24s missing %s mm, %s s", case.name, row.get("missing", "refused"), row["seconds"])


def linear_row(case: Path, model: LinearFace) -> Row:
    """Errors of the plain linear fit to a case, pose told, under names of their own."""
    with np.load(case / "truth.npz", allow_pickle=False) as truth:
        missing, observed, pose = (truth[name] for name in ("missing", "observed", "pose"))
    back = np.linalg.inv(pose)

    def placed(points: np.ndarray) -> np.ndarray:
        return points @ back[:3, :3].T + back[:3, 3]

    scan = facecom.read_scan(case / "scan.ply")
    face = fit_linear(scan.with_vertices(placed(scan.vertices)), model)
    found = face_errors(face, placed(missing), placed(observed))
    return {f"linear_{name}": found[name] for name in ("missing", "observed")}


def score(out: Path, *, only: str = "", data: Path | None = None) -> Sequence[Row]:
    """Score each case of a folder; with the folder of the data, the plain linear fit of it as well."""
    model = LinearFace.read(data) if data else None
    rows = []
    for case in case_folders(out, only=only):
        row = score_case(case, out / "results" / case.name)
        rows.append(row | (linear_row(case, model) if model else {}))
    return rows
