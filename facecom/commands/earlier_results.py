"""What an earlier run of facecom left in a folder: names that facecom writes, beside a report that shows it did.

A face.ply of somebody's own is not among them: a name alone proves nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facecom.commands.help import DEFECT_FILES, DETAIL_FILES, EXPLAIN_FILES, PROSTHESIS_FILES, RESULT_FILES
from facecom.io.regular_files import regular_bytes

DESIGN_FORMAT = "facecom-prosthesis"
REPORT, DESIGN, MEAN, MODEL = "report.json", "prosthesis.json", "mean.ply", "model"
MOST_REPORT_BYTES = 50_000_000
REGISTERED_ENDINGS = (".ply", ".csv", ".json", ".mrk.json")
SAMPLE = re.compile(r"face_\d{4,}\.ply")
VERTEX_COUNT = re.compile(rb"ply\r?\nformat binary_little_endian 1\.0\n(?:comment [^\n]*\n)*element vertex (\d+)\n")
NUMBERED = re.compile(r"(?:part|sample)_\d+")


def earlier_results(out: Path) -> set[str]:
    """Names of files and folders in `out` that facecom wrote.

    Examples
    --------
    >>> import tempfile
    >>> out = Path(tempfile.mkdtemp())
    >>> (out / "face.ply").touch()
    >>> earlier_results(out)
    set()
    """
    found: set[str] = set()
    report = _object(out / REPORT)
    if "scans" in report and "regions" in report:
        names = [name for name in report["scans"] if isinstance(name, str) and name == Path(name).name]
        found |= {name + ending for name in names for ending in REGISTERED_ENDINGS} | {REPORT, MEAN, MODEL}
    elif "scan_to_face_mm" in report and "versions" in report:
        found |= {*RESULT_FILES, *DEFECT_FILES, *DETAIL_FILES, *EXPLAIN_FILES}
    if _is_design(out):
        found |= {name for name in PROSTHESIS_FILES if not name.endswith("/")}
    for path in out.iterdir():
        if NUMBERED.fullmatch(path.name) and _is_design(path) or SAMPLE.fullmatch(path.name) and _is_sample(path):
            found.add(path.name)
    return {name for name in found if (out / name).exists()}


def _object(path: Path) -> Mapping[str, Any]:
    """The object in a JSON file; an empty one where there is none."""
    try:
        found = json.loads(regular_bytes(path, most_bytes=MOST_REPORT_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_design(folder: Path) -> bool:
    """Whether a folder holds a prosthesis."""
    return _object(folder / DESIGN).get("format") == DESIGN_FORMAT


def _is_sample(path: Path) -> bool:
    """Whether a mesh has as many vertices as a level of the template."""
    from facecom.model.template import Template

    try:
        with open(path, "rb") as file:
            head = VERTEX_COUNT.match(file.read(1000))
    except OSError:
        return False
    return head is not None and int(head[1]) in Template.load().counts
