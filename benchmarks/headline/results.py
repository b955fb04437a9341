"""The JSON file that all figures of README.md and docs/results.md come from."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import facecom
from benchmarks.headline.scoring import DIGITS, Row

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "results.json"
MEANS = (
    "missing",
    "p95",
    "observed",
    "within_50",
    "within_90",
    "seconds",
    "cpu_seconds",
    "linear_missing",
    "linear_observed",
)
"""What is averaged over the cases that have it."""
Document = dict[str, Any]


def summary(rows: Sequence[Row]) -> Row:
    """Counts, means, and the worst of what must never fail, over the cases that were completed."""
    done = [row for row in rows if "missing" in row]
    found: Row = {"cases": len(rows), "failed": len(rows) - len(done)}
    for name in MEANS:
        values = [row[name] for row in done if name in row]
        if values:
            found[name] = round(float(np.mean(values)), DIGITS)
    for name in ("rms_error", "rms_sigma"):
        if values := [row[name] for row in done if name in row]:
            found[name] = round(float(np.sqrt(np.mean(np.square(values)))), DIGITS)
    if kept := [row["kept"] for row in done if "kept" in row]:
        found["kept_least"] = min(kept)
        found["open_holes_most"] = max(row["open_holes"] for row in done if "open_holes" in row)
    return found


def grouped(rows: Sequence[Row], key: str) -> dict[str, Row]:
    """The summary of each group of cases, in the order of their first case."""
    return {name: summary([row for row in rows if row[key] == name]) for name in dict.fromkeys(r[key] for r in rows)}


def suite_results(rows: Sequence[Row], command: str) -> Document:
    """What the document holds of a suite: how it was made, the means, and a row a case."""
    made = {"command": command, "version": facecom.__version__, "commit": commit(), "cores": os.cpu_count()}
    means = {"by_defect": grouped(rows, "defect"), "by_head": grouped(rows, "head"), "all": summary(rows)}
    return made | means | {"cases": list(rows)}


def commit() -> str:
    """The last commit that changed the package, and whether files differ from it; empty outside a checkout."""
    try:
        name = _git("log", "-1", "--format=%h", "--abbrev=10", "--", "facecom")
        changed = _git("status", "--porcelain", "--", "facecom")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return name + (" with changes" if changed else "")


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def read(path: Path = FILE) -> Document:
    """The document, or an empty one."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"suites": {}, "tables": {}}


def write(document: Mapping[str, Any], path: Path = FILE) -> None:
    """Write it with a line for each case and table row, so that a change shows as one."""
    path.write_text(_lines(document, ""), encoding="utf-8")


def _lines(value: Any, indent: str) -> str:
    """JSON, indented until a value holds no further lists or objects."""
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    if not any(isinstance(child, (Mapping, list)) for child in children):
        return json.dumps(value, ensure_ascii=False) + ("" if indent else "\n")
    inner = indent + " "
    if isinstance(value, Mapping):
        parts: Iterable[str] = (
            f"{inner}{json.dumps(key, ensure_ascii=False)}: {_lines(v, inner)}" for key, v in value.items()
        )
        start, end = "{}"
    else:
        parts, (start, end) = (inner + _lines(child, inner) for child in value), "[]"
    return f"{start}\n" + ",\n".join(parts) + f"\n{indent}{end}" + ("" if indent else "\n")
