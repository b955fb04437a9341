"""Errors in the holes of the dev suite for several generators at once, from poses that are found once and kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.generator_kinds import Entry
from facecom.completion import CompletionSettings, Scan
from facecom.completion.alignment import align_scan, flip_orientation, prepare_scan, vertex_weights
from facecom.errors import FitError
from facecom.fitting.fit import fit
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity
from facecom.io.files import read_scan
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import Template

GROUPS = ("simpop", "james", "lps")


def group_of(case: str) -> str:
    """The group of heads that a case, or a head, belongs to."""
    return next(group for group in GROUPS if case.startswith(group))


def hole_errors(
    entries: Sequence[Entry], template: Template, cases: Sequence[Path], *, kept: Path
) -> dict[str, dict[str, float]]:
    """Mean distance in mm of the true missing surface, by generator and case, from the shipped model's rough pose.

    kept : JSON file of errors and poses; what it has of a generator's name is not computed again
    """
    settings = CompletionSettings()
    weights = vertex_weights(template, level=1, settings=settings)
    stored = json.loads(kept.read_text()) if kept.is_file() else {"poses": {}, "errors": {}}
    for entry in entries:
        stored["errors"].setdefault(entry.name, {})
    for case in cases:
        wanted = [entry for entry in entries if case.name not in stored["errors"][entry.name]]
        if not wanted:
            continue
        scan, pose = _started(case, stored["poses"], settings)
        with np.load(case / "truth.npz", allow_pickle=False) as truth:
            missing = truth["missing"] * scan.mm_per_unit
        for entry in wanted:
            surface = Surface(_fitted(scan, pose, entry, template, weights, settings))
            stored["errors"][entry.name][case.name] = float(surface.closest(missing).distance.mean())
        kept.write_text(json.dumps(stored, indent=1))
        line = {entry.name: round(stored["errors"][entry.name][case.name], 3) for entry in wanted}
        print(case.name, line, flush=True)
    names = {case.name for case in cases}
    return {e.name: {k: v for k, v in stored["errors"][e.name].items() if k in names} for e in entries}


def _started(case: Path, poses: dict[str, dict], settings: CompletionSettings) -> tuple[Scan, Similarity]:
    scan = prepare_scan(read_scan(case / "scan.ply"), unit="auto", settings=settings)
    if case.name not in poses:
        start, side = align_scan(scan, LinearGenerator.load(), {}, settings)
        pose = start.pose
        poses[case.name] = {
            "rotation": pose.rotation.tolist(),
            "translation": pose.translation.tolist(),
            "turned": side.inside_out != scan.inside_out,
        }
    known = poses[case.name]
    pose = Similarity(np.array(known["rotation"]), np.array(known["translation"]))
    return (flip_orientation(scan, settings) if known["turned"] else scan), pose


def _fitted(
    scan: Scan, pose: Similarity, entry: Entry, template: Template, weights: np.ndarray, settings: CompletionSettings
) -> Mesh:
    """The generator's face on a scan, in the scan's frame; the mean face where the fit fails."""
    stages = settings.fit.stages
    if not entry.ordered:
        stages = tuple(replace(stage, modes=None) for stage in stages)
    try:
        done = fit(scan.for_fit, entry, pose, settings=replace(settings.fit, stages=stages), weights=weights)
        pose, code = done.pose, done.code
    except FitError:
        code = np.zeros(entry.code_size)
    return Mesh(pose.inverse().apply(entry.decode(code, level=2)), template.faces[2])
