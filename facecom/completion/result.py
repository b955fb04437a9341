"""What a completion is, and what can be asked of it afterwards: samples and dragged points."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from facecom.completion.assembly import assemble, make_report
from facecom.completion.context import FitContext
from facecom.completion.export import save_detail, save_layers, save_report
from facecom.completion.holes import Hole, find_holes
from facecom.completion.serialization import load_state, save_state
from facecom.completion.state import CompletionState, known
from facecom.completion.types import CompletionSettings, Report
from facecom.drawing.notebook import html_summary, picture, show_mesh
from facecom.errors import ScanError
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh
from facecom.geometry.transform import Similarity
from facecom.io.conversion import Convertible
from facecom.io.files import write_mesh
from facecom.model.landmark_points import LandmarkPoints
from facecom.model.protocol import FaceModel
from facecom.model.template import Template
from facecom.skin.detail import Detail
from facecom.stitching.stitch import Stitched

REFIT_SIGMA_MM = 0.02
"""How exactly a dragged point lies where it was dragged."""


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
    state : CompletionState, what the stages found
    detail : Detail or None, skin relief of the hole and its border; None unless asked for
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
    state: CompletionState = field(repr=False)
    detail: Detail | None = None

    @classmethod
    def from_state(cls, state: CompletionState) -> Completion:
        """The completion of a job whose stages have all run."""
        return cls(**vars(assemble(state)), report=known(state.report, "report"), state=state)

    def __repr__(self) -> str:
        r = self.report
        shares = f"{r.observed_share:.0%} observed, {r.made_up_share:.0%} made up (sigma {r.sigma_made_up_mm:.2f} mm)"
        return f"Completion({shares}, {r.holes_filled} holes, unit {r.unit})"

    def _repr_html_(self) -> str:
        """What a notebook shows: the completed face from two sides, coloured by where it comes from, and figures."""
        r = self.report
        figures = {
            "observed": f"{r.observed_share:.0%} of the surface",
            "made up": f"{r.made_up_share:.0%}, sigma {r.sigma_made_up_mm:.2f} mm",
            "holes filled": str(r.holes_filled),
            "scan to face": f"{r.scan_to_face_mm.get('all', float('nan')):.3f} mm",
            "unit": r.unit,
            "warnings": "; ".join(r.warnings) or "none",
        }
        return html_summary(picture(self._in_face, self.provenance), figures)

    def show(self) -> Any:
        """The completed face by provenance: a view to turn where k3d or PyVista is installed, a picture where not."""
        return show_mesh(self.face, self._in_face, self.provenance)

    @property
    def _in_face(self) -> Mesh:
        return self.context.stitched.face

    @property
    def mesh(self) -> Mesh:
        """The whole face, which `to_trimesh` and its kin convert."""
        return self.face

    @property
    def model(self) -> FaceModel:
        """The face model that was fitted."""
        return self.context.model

    @property
    def template(self) -> Template:
        """The template: topology, regions and landmarks of `face`."""
        return self.model.template

    @property
    def settings(self) -> CompletionSettings:
        """The settings that it was made with."""
        return self.state.settings

    @property
    def scan(self) -> Mesh:
        """The scan as it was cleaned, in its own frame and unit; `merged` begins with its vertices and triangles."""
        return self.context.scan.mesh

    @property
    def defect(self) -> Mesh:
        """What the scan shows where the face is missing, such as a wound's bed, in its own frame and unit.

        It was marked or found, and is no part of `scan` and `merged`. Without triangles where there is none.
        """
        return self.context.scan.defect

    @property
    def defect_probability(self) -> Floats | None:
        """How likely each triangle of `scan` shows a defect and not skin, (F,), 0 to 1; 0 where none is looked for.

        None where nothing was looked for, as in a scan with marks.
        """
        found = self.state.defect_probability
        return None if found is None else found.triangles

    @property
    def merged_defect_probability(self) -> Floats | None:
        """The same of each vertex of `merged`, (V,): the mean of the scan's triangles around it, 0 in the patch."""
        found, scan = self.state.defect_probability, self.scan
        if found is None:
            return None
        out = np.zeros(len(self.merged.vertices))
        out[: len(scan.vertices)] = found.vertices(scan.faces, len(scan.vertices))
        return out

    @property
    def doubtful_vertices(self) -> Bools:
        """Vertices of `scan` in places of which it is not sure that they are skin, (V,); see `Report`."""
        found, scan = self.state.defect_probability, self.scan
        out = np.zeros(len(scan.vertices), bool)
        if found is not None:
            out[scan.faces[found.doubtful]] = True
        return out

    @property
    def landmarks(self) -> dict[str, Floats]:
        """Name or alias -> (3,) on the completed face, in the scan's own frame and unit."""
        return LandmarkPoints.of(self.template, self.face.vertices)

    @property
    def regions(self) -> dict[str, Bools]:
        """Name -> (V,) bool, the vertices of `face` that belong to the region."""
        return {name: self.template.region_mask(name) for name in self.template.region_names}

    @functools.cached_property
    def holes(self) -> tuple[Hole, ...]:
        """The holes of the scan that were filled, largest first."""
        return find_holes(self.state)

    @functools.cached_property
    def context(self) -> FitContext:
        """What the completion rests on, for those that go on from it."""
        return FitContext(self.state)

    def save(self, directory: str | os.PathLike[str], *, keep: bool = False) -> None:
        """Write the meshes and report.json into a folder, which is made; defect.ply and detail where there is any.

        Parameters
        ----------
        keep : also write state.safetensors and state.json, from which `Completion.load` brings all of it back

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
        save_layers(
            folder / "merged.ply",
            self.merged,
            self.merged_provenance,
            self.merged_sigma_mm,
            self.merged_defect_probability,
        )
        write_mesh(folder / "patch.ply", self.patch)
        if self.detail is not None and self.state.detail is not None:
            save_detail(folder, self.detail, self.state.detail)
        if len(self.defect.faces):
            write_mesh(folder / "defect.ply", self.defect)
        save_report(folder / "report.json", self.report)
        if keep:
            save_state(self.state, folder)

    @staticmethod
    def load(directory: str | os.PathLike[str], *, model: FaceModel | None = None) -> Completion:
        """The completion that `save` wrote with `keep`, to be sampled or refitted again.

        Parameters
        ----------
        model : the one that it was made with, where that is not the shipped one

        Raises
        ------
        CheckpointError
            When a file is missing or damaged, or the model is not the one that it was made with.
        """
        return Completion.from_state(load_state(directory, model=model))

    def sample(self, seed: int = 0) -> Completion:
        """Another completion that explains the scan as well; the first of `samples` with this seed."""
        return self.samples(1, seed=seed)[0]

    def samples(self, count: int, *, seed: int = 0) -> list[Completion]:
        """Other completions that explain the scan as well, drawn from the posterior, without skin relief.

        What was observed stays.

        Raises
        ------
        ValueError
            When `count` is negative.
        """
        if count < 0:
            raise ValueError(f"count must not be negative, got {count}")
        drawn = self.context.posterior.draw(count, seed=seed)
        return [self._moved(moved, kind=f"sample {k} of seed {seed}") for k, moved in enumerate(drawn)]

    def refit(self, points: Mapping[str | int, Any], *, sigma_mm: float = REFIT_SIGMA_MM) -> Completion:
        """The most likely completion in which some points of the face lie where they are dragged, without skin relief.

        Parameters
        ----------
        points : landmark name or vertex of `face` -> (3,) where it should lie, in the scan's frame and unit
        sigma_mm : how exactly

        Raises
        ------
        ValueError
            For unknown landmarks, and for points on observed surface, which does not move.
        """
        goal = self.pose.apply(np.array([points[k] for k in points], dtype=float).reshape(-1, 3))
        moved = self.context.posterior.drag(points, goal, sigma_mm=sigma_mm)
        return self._moved(moved, kind=f"refit to {', '.join(str(k) for k in points)}")

    def _moved(self, displacement: Floats, *, kind: str) -> Completion:
        """The same completion with its face moved by (V, 3) mm in the face frame, the patch along with it.

        Skin relief is left behind: it was made for another surface.
        """
        projected, stitched = self.context.projection, self.context.stitched
        state = replace(
            self.state,
            projection=replace(projected, vertices=projected.vertices + displacement),
            stitched=_stitched_moved(stitched, len(self.scan.vertices), displacement),
            detail=None,
            detail_choice="none",
        )
        report = replace(make_report(state), kind=kind)
        return Completion.from_state(replace(state, report=report))


def _stitched_moved(stitched: Stitched, scan_count: int, displacement: Floats) -> Stitched:
    """The stitched mesh with its face moved by (V, 3) mm, and its new vertices along with it."""
    face = stitched.face.with_vertices(stitched.face.vertices + displacement)
    vertices = stitched.merged.vertices.copy()
    vertices[scan_count:] += stitched.weights @ displacement
    merged = stitched.merged.with_vertices(vertices)
    patch = stitched.patch.with_vertices(vertices[stitched.patch_vertices])
    return replace(stitched, face=face, merged=merged, patch=patch)
