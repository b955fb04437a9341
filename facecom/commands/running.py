"""What the verbs share: a completion with its progress bar, files and tables."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from facecom.completion import Completion


class MarkOptions(TypedDict):
    """The options of `complete` that are about marks."""

    missing: Any
    doubted: Any
    snap_marks: bool


def completed(scan: Path, landmarks: Mapping[str, Any] | None, options: argparse.Namespace) -> Completion:
    """Complete one scan as the options say, with a progress bar where stderr is a terminal."""
    from facecom.completion import complete

    model: Any = None
    if options.model:
        from facecom.model.checkpoint import load_model

        model = load_model(options.model)
    bar = ProgressBar(scan.name, quiet=options.quiet or not sys.stderr.isatty())
    try:
        return complete(
            scan,
            unit=options.unit,
            mm_per_unit=options.mm_per_unit,
            landmarks=landmarks,
            guidance=getattr(options, "guidance", "auto"),
            model=model,
            detail=getattr(options, "detail", None) or "none",
            seed=options.seed,
            **mark_options(options),
            progress=bar.show,
        )
    finally:
        bar.close()


def mark_options(options: argparse.Namespace) -> MarkOptions:
    """What `complete` is told of the scan's marks."""
    missing, doubted = getattr(options, "missing", None), getattr(options, "doubted", None)
    return {
        "missing": "auto" if not missing else missing[0] if len(missing) == 1 else missing,
        "doubted": doubted,
        "snap_marks": not getattr(options, "no_snap", False),
    }


BAR_WIDTH = 24
"""Characters of the progress bar."""
SHOWN_SECONDS = 0.05
"""Stages that took less are left out of the table."""


class ProgressBar:
    """A line on stderr with the stage that runs.

    Parameters
    ----------
    title : str, before the bar
    quiet : bool, whether nothing is printed
    """

    def __init__(self, title: str, *, quiet: bool) -> None:
        self._title, self._quiet, self._start = title, quiet, time.perf_counter()

    def show(self, stage: str, share: float) -> None:
        """Draw the bar: the name of the stage that begins, and the share of the work done before it."""
        if not self._quiet:
            done = int(BAR_WIDTH * share)
            seconds = time.perf_counter() - self._start
            bar = "#" * done + "." * (BAR_WIDTH - done)
            print(f"\r{self._title} [{bar}] {stage:12s} {seconds:5.1f} s", end="", file=sys.stderr)

    def close(self) -> None:
        """Erase the bar."""
        if not self._quiet:
            print("\r\033[K", end="", file=sys.stderr)


def write_results(result: Completion, folder: Path, *, name: str = "scan") -> None:
    """Write face.ply, merged.ply, patch.ply, report.json, report.html and preview.png into an existing folder."""
    from facecom.io.files import write_bytes
    from facecom.io.images import png_bytes
    from facecom.report.html import draw_overview, report_html

    result.save(folder)
    picture = draw_overview(result)
    write_bytes(folder / "preview.png", png_bytes(picture))
    write_bytes(folder / "report.html", report_html(result, name=name, overview=picture).encode())


def table(results: Mapping[str, Completion]) -> str:
    """One line a scan: shares observed and made up, sigma, residual, holes, and the seconds of each stage."""
    lines = [f"{'scan':28s} unit   observed made up  sigma there  scan to face   holes  seconds by stage"]
    for name, result in results.items():
        r = result.report
        stages = " ".join(f"{stage} {seconds:.1f}" for stage, seconds in r.seconds.items() if seconds >= SHOWN_SECONDS)
        lines.append(
            f"{name:28s} {r.unit:6s} {r.observed_share:7.0%} {r.made_up_share:7.0%} {r.sigma_made_up_mm:8.2f} mm "
            f"{r.scan_to_face_mm.get('all', float('nan')):9.3f} mm {r.holes_filled:7d}  {stages}"
        )
        lines += [f"  warning: {text}" for text in r.warnings]
    return "\n".join(lines)
