"""The help of a verb: what it does, a worked example, and the files that it writes."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

RESULT_FILES: Mapping[str, str] = {
    "face.ply": "the completed face, with provenance and sigma_mm of each vertex",
    "merged.ply": "the scan's own triangles and the patch, with the same and defect_probability",
    "patch.ply": "the patch alone",
    "report.json": "pose, measurements, warnings, seconds and versions",
    "report.html": "the same with pictures and a 3D view, for a browser",
    "preview.png": "scan and result from four directions",
}
"""What every completion writes."""
DEFECT_FILES: Mapping[str, str] = {
    "defect.ply": "where the scan shows a defect: that surface, which is left out of merged.ply",
}
DETAIL_FILES: Mapping[str, str] = {
    "detail.ply": "with --detail: the fine mesh",
    "displacement.exr": "with --detail: the relief in the template's uv, mm",
    "displacement.png": "with --detail: the same in 16 bits",
    "normal.png": "with --detail: normals in the template's uv",
    "provenance.png": "with --detail: provenance in the template's uv",
}
EXPLAIN_FILES: Mapping[str, str] = {
    "explain.json": "the effect of each stage on this scan",
    "explain.html": "the same with pictures, for a browser",
}
PROSTHESIS_FILES: Mapping[str, str] = {
    "shell.stl": "the prosthesis, for printing",
    "shell.3mf": "the same with its unit",
    "shell.ply": "the same with provenance and sigma_mm of each vertex",
    "mould_a.stl": "one half of the mould",
    "mould_b.stl": "the other half",
    "inspection.json": "thickness, volume, mass and checks",
    "inspection.png": "pictures of the design",
    "prosthesis.json": "settings, axis and pose",
    "samples.png": "with --samples: all designs side by side",
    "sample_1/": "with --samples: the same files for each further design",
    "part_1/": "where several parts are missing: the same files for each",
}


def add_verb(
    verbs: Any,
    name: str,
    *,
    run: Callable[[argparse.Namespace], int | None],
    about: str,
    example: str,
    files: Mapping[str, str],
) -> argparse.ArgumentParser:
    """Add a verb to the command line.

    Parameters
    ----------
    verbs : argparse's subparsers
    name : str, of the verb
    run : called with the parsed options; False where some of several inputs failed
    about : str, one sentence
    example : str, a command that can be copied
    files : name -> content of the files that the verb writes into --out; none for a verb that writes nothing

    Returns
    -------
    ArgumentParser, to which the options are added

    Examples
    --------
    >>> verbs = argparse.ArgumentParser().add_subparsers()
    >>> verb = add_verb(verbs, "copy", run=print, about="Copy.", example="copy a b", files={"b": "the copy"})
    >>> print(verb.epilog)
    example:
      copy a b
    <BLANKLINE>
    files written to --out:
      b  the copy
    """
    verb = verbs.add_parser(
        name,
        help=about[:1].lower() + about[1:].rstrip("."),
        description=about,
        epilog=_epilog(example, files),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verb.set_defaults(run=run)
    return verb


def _epilog(example: str, files: Mapping[str, str]) -> str:
    width = max(map(len, files), default=0)
    listed = [f"  {name:{width}}  {content}" for name, content in files.items()]
    lines = ["files written to --out:", *listed] if files else ["files written: none"]
    return "\n".join(["example:", f"  {example}", "", *lines])
