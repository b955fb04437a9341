"""What a completion is, and what can be asked of it afterwards: samples and dragged points."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facecom.completion.export import save_detail, save_layers, save_report
from facecom.completion.types import CompletionSettings, Report, Scan
from facecom.errors import ScanError
from facecom.fitting.fit import Fit
from facecom.fitting.posterior import (
    condition_on_points,
    distance_to_observed,
    far_factor,
    mobility,
    motion_jacobian,
    sample_posterior,
    variance_factor,
)
from facecom.geometry.mesh import Floats, Ints, Mesh
from facecom.geometry.transform import Similarity
from facecom.io.conversion import Convertible
from facecom.io.files import write_mesh
from facecom.model.protocol import FaceModel
from facecom.projection.project import Projection
from facecom.skin.detail import Detail
from facecom.stitching.stitch import Stitched

if TYPE_CHECKING:
    from facecom.guidance.guide import Guidance


@dataclass(frozen=True, eq=False)
class Completion(Convertible):
    """A completed face in the scan's own frame and unit.

    Parameters
    ----------
    face : Mesh, the whole face in the template's topology (48,713 vertices)
    merged : Mesh, the scan's triangles untouched, and the patch
    patch : Mesh, what was missing
    provenance, merged_provenance : (V,) int, a `Provenance` for each vertex of `face` and `merged`
    sigma_mm, merged_sigma_mm : (V,) float, standard deviation along the normal
    pose : Similarity, the scan's own frame and unit -> face frame, mm
    report : Report
    detail : Detail or None, skin relief of the hole and its border, face frame, mm; None unless asked for
    """

    face: Mesh
    merged: Mesh
    patch: Mesh
    provenance: Ints
    sigma_mm: Floats
    merged_provenance: Ints
    merged_sigma_mm: Floats
    pose: Similarity
    report: Report
    evidence: FitContext = field(repr=False)
    detail: Detail | None = None

    @property
    def mesh(self) -> Mesh:
        """The whole face, which `to_trimesh` and its kin convert."""
        return self.face

    def save(self, directory: str | os.PathLike[str], *, keep: bool = False) -> None:
        """Write face.ply, merged.ply, patch.ply and report.json, and with detail its mesh and maps; the folder is made.

        Parameters
        ----------
        keep : also write evidence.safetensors and evidence.json, from which `Completion.load` brings all of it back

        Raises
        ------
        ScanError
            When the folder cannot be written.
        """
        folder = Path(directory)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ScanError(f"{folder} cannot be made ({error.strerror}); choose another folder") from None
        save_layers(folder / "face.ply", self.face, self.provenance, self.sigma_mm)
        save_layers(folder / "merged.ply", self.merged, self.merged_provenance, self.merged_sigma_mm)
        write_mesh(folder / "patch.ply", self.patch)
        if self.detail is not None:
            save_detail(folder, self.detail, self.pose.inverse())
        save_report(folder / "report.json", self.report)
        if keep:
            from facecom.completion.serialization import save_completion

            save_completion(self, folder)

    @staticmethod
    def load(
        directory: str | os.PathLike[str],
        *,
        model: FaceModel | None = None,
        settings: CompletionSettings | None = None,
    ) -> Completion:
        """The completion that `save` wrote with `keep`, to be sampled or refitted again; without its detail.

        Parameters
        ----------
        model, settings : those that it was made with; the shipped ones unless given

        Raises
        ------
        CheckpointError
            When a file is missing or damaged, or model or settings are not those it was made with.
        """
        from facecom.completion.serialization import load_completion

        return load_completion(directory, model=model, settings=settings)

    def samples(self, count: int, *, seed: int = 0) -> list[Completion]:
        """Other completions that explain the scan as well, drawn from the posterior, without skin relief.

        What was measured stays.

        Raises
        ------
        ValueError
            When `count` is negative.
        """
        if count < 0:
            raise ValueError(f"count must not be negative, got {count}")
        own = self.evidence
        factor = variance_factor(own.fit.terms["plane_rms_mm"], settings=own.settings.posterior)
        drawn = sample_posterior(own.fit.precision, count=count, seed=seed)
        return [self._moved(own.spread[:, None] * own.displacement(factor * deviation)) for deviation in drawn]

    def refit(self, points: Mapping[str | int, Any], *, sigma_mm: float = 0.02) -> Completion:
        """The most likely completion in which some points of the face lie where they are dragged, without skin relief.

        Parameters
        ----------
        points : landmark name or vertex of `face` -> (3,) where it should lie, in the scan's frame and unit
        sigma_mm : how exactly

        Raises
        ------
        ValueError
            For unknown landmarks, and for points on measured surface, which does not move.
        """
        own = self.evidence
        template = own.model.template
        pick = np.array([k if isinstance(k, int) else template.landmark_index(k) for k in points], dtype=np.int64)
        fixed = own.freedom[pick] < 0.02
        if fixed.any():
            name = list(points)[int(np.argmax(fixed))]
            raise ValueError(f"the point {name!r} lies on measured surface, which does not move; drag one of the hole")
        goal = self.pose.apply(np.array([points[k] for k in points], dtype=float).reshape(-1, 3))
        gaps = (goal - own.projected.vertices[pick]).ravel()
        rows = own.rows(pick).reshape(3 * len(pick), -1)
        factor = variance_factor(own.fit.terms["plane_rms_mm"], settings=own.settings.posterior)
        deviation = condition_on_points(
            rows, own.fit.precision, gaps, sigma_mm=np.full(len(gaps), sigma_mm), factor=factor
        )
        return self._moved(own.displacement(deviation))

    def _moved(self, displacement: Floats) -> Completion:
        """The same completion with its face moved by (V, 3) mm in the face frame, the patch along with it.

        Skin relief is left behind: it was made for another surface.
        """
        own = self.evidence
        scan_count = len(own.scan.mesh.vertices)
        back = self.pose.inverse()
        shift = back.scale * back.rotate(displacement)
        face = self.face.with_vertices(round_to_float32(self.face.vertices + shift))
        vertices = self.merged.vertices.copy()
        vertices[scan_count:] = round_to_float32(vertices[scan_count:] + own.joined.weights @ shift)
        merged = Mesh(vertices, self.merged.faces, colors=self.merged.colors)
        fresh = np.arange(len(merged.faces)) >= len(own.scan.mesh.faces)
        projected = replace(own.projected, vertices=own.projected.vertices + displacement)
        patch = merged.submesh(fresh)[0] if fresh.any() else self.patch
        evidence = replace(own, projected=projected, joined=_joined_moved(own.joined, scan_count, displacement))
        return replace(self, face=face, merged=merged, patch=patch, evidence=evidence, detail=None)


@dataclass(frozen=True, eq=False)
class GuidanceRecord:
    """What inpainted pictures told a fit.

    source : what they were asked of; found : Guidance; before : Fit, the fit before it looked at them
    """

    source: Any
    found: Guidance
    before: Fit


@dataclass(frozen=True, eq=False)
class FitContext:
    """What a completion rests on, kept so that it can be sampled and refitted."""

    scan: Scan
    model: FaceModel
    fit: Fit
    projected: Projection
    joined: Stitched
    settings: CompletionSettings
    pictures: GuidanceRecord | None = None

    @functools.cached_property
    def freedom(self) -> Floats:
        """How freely each vertex of the face may move, (V,): 0 where measured, 1 deep in a hole."""
        return mobility(self.projected.vertices, self.projected.measured, settings=self.settings.posterior)

    @functools.cached_property
    def spread(self) -> Floats:
        """How much wider than the fit's posterior each vertex may lie, (V,): more the farther from what was seen."""
        options, measured = self.settings.posterior, self.projected.measured
        away = distance_to_observed(self.projected.vertices, measured, reach_mm=options.search_mm)
        return far_factor(away, settings=options)

    def rows(self, pick: Ints) -> Floats:
        """Derivative (n, 3, M + 6) of finest-level vertices by code and motion, as far as they are free."""
        level = 1 if pick.max(initial=0) < self.model.template.counts[1] else 2
        count = self.model.template.counts[level]
        if pick.max(initial=0) >= count:
            raise ValueError(f"vertex {int(pick.max())} is finer than level {level}; drag one of the first {count}")
        jacobian = self.model.jacobian(self.fit.code, level=level).reshape(count, 3, -1)[pick]
        both = np.concatenate([jacobian, motion_jacobian(self.projected.vertices[pick])], axis=2)
        return self.freedom[pick][:, None, None] * both

    def displacement(self, deviation: Floats) -> Floats:
        """Movement (V, 3), mm, face frame, of the finest level for a deviation (M + 6,) of code and motion."""
        moved = self.model.decode(self.fit.code + deviation[:-6], level=2) - self.model.decode(self.fit.code, level=2)
        fine = self.model.prolong_offset(moved, from_level=2, to_level=3)
        fine = fine + motion_jacobian(self.projected.vertices) @ deviation[-6:]
        return self.freedom[:, None] * fine

    def to_scan(self, pose: Similarity) -> Similarity:
        """Face frame, mm -> the scan's own frame and unit."""
        return Similarity(scale=1.0 / self.scan.mm_per_unit) @ pose.inverse()


def _joined_moved(joined: Stitched, scan_count: int, displacement: Floats) -> Stitched:
    """The join in the face frame with its face moved by (V, 3) mm, and its new vertices along with it."""
    face = joined.face.with_vertices(joined.face.vertices + displacement)
    vertices = joined.merged.vertices.copy()
    vertices[scan_count:] += joined.weights @ displacement
    merged = joined.merged.with_vertices(vertices)
    patch = joined.patch.with_vertices(vertices[joined.patch_vertices])
    return replace(joined, face=face, merged=merged, patch=patch)


def round_to_float32(vertices: Floats) -> Floats:
    """Rounded to what float32 holds, so that files need no more."""
    return vertices.astype(np.float32).astype(float)
