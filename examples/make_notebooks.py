"""Make the notebooks from the numbered scripts: python examples/make_notebooks.py

A script is cut at its cell markers, `# %%` for code and `# %% [markdown]` for text.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
MARKER = "# %%"


def cells(script: str) -> list[tuple[str, str]]:
    """Kind ("code" or "markdown") and text of each cell."""
    found = []
    for part in ("\n" + script).split("\n" + MARKER)[1:]:
        head, _, body = part.partition("\n")
        if head.strip() == "[markdown]":
            lines = [line.removeprefix("#").removeprefix(" ") for line in body.strip().splitlines()]
            found.append(("markdown", "\n".join(lines)))
        else:
            found.append(("code", body.strip()))
    return found


def notebook(script: str) -> dict[str, Any]:
    """The script as a notebook (nbformat 4.5), without outputs; it runs from the project's folder."""
    out = []
    for k, (kind, text) in enumerate([("code", START), *cells(script)]):
        cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{k}", "metadata": {}}
        cell["source"] = text.splitlines(keepends=True)
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        out.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": out,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


START = """# Notebooks start in their own folder; the examples name files from the project's.
import os
from pathlib import Path

if Path.cwd().name == "examples":
    os.chdir("..")"""


def notebook_text(script: Path) -> str:
    """The bytes of the notebook of a script, as text."""
    return json.dumps(notebook(script.read_text(encoding="utf-8")), indent=1, ensure_ascii=False) + "\n"


def scripts() -> list[Path]:
    """The numbered scripts, in order."""
    return sorted(FOLDER.glob("[0-9][0-9]_*.py"))


if __name__ == "__main__":
    for path in scripts():
        path.with_suffix(".ipynb").write_text(notebook_text(path), encoding="utf-8")
        print(path.with_suffix(".ipynb").name)
