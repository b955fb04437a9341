"""Markdown tables from the document of results, and the pages that hold them between markers.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; what is between them is written by the command alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.headline.results import ROOT, Document

PAGES = (ROOT / "README.md", ROOT / "docs" / "results.md")
MARKED = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
WORDS = {"nose_orbit": "nose and orbit", "half": "half the face", "holes": "small holes"}
Cell = str | int | float | None


def rendered(page: str, tables: Mapping[str, str]) -> str:
    """The page with each marked table written anew; KeyError where the document has no such table."""
    return MARKED.sub(lambda found: found[1] + tables[found[2]] + "\n" + found[3], page)


def tables_of(document: Document) -> dict[str, str]:
    """All tables that a page may show, by name."""
    found = {name: stored(table) for name, table in document["tables"].items()}
    for suite, content in document["suites"].items():
        found[f"{suite}_by_defect"] = f"{by_defect(content)}\n\n{made(content)}"
        found[f"{suite}_by_head"] = by_head(content)
        found[f"{suite}_sigma"] = sigma(content)
    if "dev" in document["suites"]:
        found["headline"] = headline(document["suites"]["dev"])
    return found


def grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A markdown table: its first column to the left, the others to the right."""
    lines = [columns, ["---"] + ["---:"] * (len(columns) - 1), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def headline(suite: Document) -> str:
    """The table of README.md: missing part by defect, and the observed surface, beside the plain linear fit."""
    groups = {**suite["by_defect"], "all cases": suite["all"]}
    names = [WORDS.get(name, name) for name in groups]
    rows = [["facecom", *(_figure(row, "missing") for row in groups.values()), _figure(suite["all"], "observed")]]
    if "linear_missing" in suite["all"]:
        figures = [_figure(row, "linear_missing") for row in groups.values()]
        rows.append(["linear model, pose told", *figures, _figure(suite["all"], "linear_observed")])
    return grid(["", *names, "observed surface"], rows)


def by_defect(suite: Document) -> str:
    """Errors by defect, what must hold in every case, and the plain linear fit where it was run."""
    columns = ["defect", "cases", "failed", "missing", "p95", "observed", "kept, least", "open holes, most", "s"]
    linear = "linear_missing" in suite["all"]
    rows = []
    for name, row in {**suite["by_defect"], "all": suite["all"]}.items():
        cells = [WORDS.get(name, name), str(row["cases"]), str(row["failed"]), _figure(row, "missing")]
        cells += [_figure(row, "p95"), _figure(row, "observed", 3), _figure(row, "kept_least", 4)]
        cells += [str(row.get("open_holes_most", "")), _figure(row, "seconds", 1)]
        rows.append(cells + ([_figure(row, "linear_missing"), _figure(row, "linear_observed")] if linear else []))
    return grid(columns + (["linear model: missing", "observed"] if linear else []), rows)


def by_head(suite: Document) -> str:
    """Missing part by head and defect, and the observed surface by head."""
    defects = list(suite["by_defect"])
    rows = []
    for head, row in suite["by_head"].items():
        own = {case["defect"]: case for case in suite["cases"] if case["head"] == head}
        cells = [_figure(own.get(defect, {}), "missing") for defect in defects]
        rows.append([head, *cells, _figure(row, "observed", 3)])
    return grid(["head", *(WORDS.get(name, name) for name in defects), "observed"], rows)


def sigma(suite: Document) -> str:
    """Share of the missing surface within the bands of sigma, by defect and head."""
    rows = []
    for name, row in {**suite["by_defect"], **suite["by_head"], "all": suite["all"]}.items():
        shares = [f"{100 * row[key]:.1f}%" for key in ("within_50", "within_90") if key in row]
        rows.append([WORDS.get(name, name), str(row["cases"]), *shares, *(_figure(row, key) for key in _RMS)])
    return grid(["defect or head", "cases", "in the 50% band", "in the 90% band", "rms error", "rms sigma"], rows)


_RMS = ("rms_error", "rms_sigma")


def made(suite: Document) -> str:
    """The lines that say what command, code and machine a suite ran on."""
    commit = f", commit {suite['commit']}" if suite["commit"] else ""
    return f"`{suite['command']}`\\\nVersion {suite['version']}{commit}; {suite['cores']} processor cores."


def stored(table: Mapping[str, Any]) -> str:
    """A table whose figures another command printed, with that command and the state of the code."""
    digits = table.get("digits", [2] * len(table["columns"]))
    rows = [[_cell(cell, d) for cell, d in zip(row, digits, strict=True)] for row in table["rows"]]
    return f"{grid(table['columns'], rows)}\n\n`{table['command']}`\\\nFigures {table['commit']}."


def _cell(value: Cell, digits: int) -> str:
    if value is None:
        return ""
    return f"{value:.{digits}f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value


def _figure(row: Mapping[str, Any], key: str, digits: int = 2) -> str:
    return f"{row[key]:.{digits}f}" if key in row else ""
