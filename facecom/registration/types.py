"""The values of registration: what can be set, and a scan in the template's topology."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facecom.completion import CompletionSettings
from facecom.completion.assembly import round_to_float32
from facecom.drawing.notebook import html_summary, picture, show_mesh
from facecom.errors import ScanError
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh
from facecom.geometry.transform import Similarity
from facecom.io.conversion import Convertible
from facecom.model.template import Template
from facecom.provenance import Provenance
from facecom.registration.expression import ExpressionSettings
from facecom.registration.files import write_registered
from facecom.registration.relax import RelaxSettings


@dataclass(frozen=True)
class RegistrationSettings:
    """Everything that affects the result, besides scans, model and unit."""

    completion: CompletionSettings = field(default_factory=CompletionSettings)
    """The stages that registration shares with completion."""
    relax: RelaxSettings = field(default_factory=RelaxSettings)
    expression: ExpressionSettings = field(default_factory=ExpressionSettings)
    good_coverage: float = 0.6
    """Share of the face that must be observed for a verdict without reserve."""
    good_mm: float = 0.3
    """Mean distance of scan and registered face, at most, for the same."""


@dataclass(frozen=True, eq=False)
class Registration(Convertible):
    """One scan in the template's topology: vertex i lies on the same spot of every face.

    Parameters
    ----------
    name : of the file, or the scan's place in the list
    vertices : (V, 3), in the scan's own frame and unit
    in_face_frame : (V, 3), mm, face frame
    template : Template, with faces, uv, regions and names of landmarks
    observed : (V,) whether the scan shows the vertex
    residual_mm : (V,) distance of the vertex to the scan, nan where it is not shown
    sigma_mm : (V,) standard deviation along the normal
    coverage : share of the face proper that was observed
    scan_to_face_mm : mean distance of the scan's vertices to the registered face by region, and of `all`
    landmarks : name or alias -> (3,), in the scan's own frame and unit
    pose : Similarity, the scan's own frame and unit -> face frame, mm
    unit, mm_per_unit : of the scan
    mm_per_unit_sigma : standard deviation of `mm_per_unit` where the face told it; None where it is known
    expression : name -> weight in 0..1 of what was taken out; empty unless asked for. Vertices and landmarks are then
        of the face without it, distances and `observed` of the face as it was scanned
    good : whether the verdict is without reserve
    verdict : a sentence
    warnings : sentences
    """

    name: str
    vertices: Floats
    in_face_frame: Floats
    template: Template
    observed: Bools
    residual_mm: Floats
    sigma_mm: Floats
    coverage: float
    scan_to_face_mm: Mapping[str, float]
    landmarks: Mapping[str, Floats]
    pose: Similarity
    unit: str
    mm_per_unit: float
    expression: Mapping[str, float]
    good: bool
    verdict: str
    warnings: tuple[str, ...] = ()
    mm_per_unit_sigma: float | None = None

    def __repr__(self) -> str:
        return f"Registration({self.name}: {self.verdict})"

    def _repr_html_(self) -> str:
        """What a notebook shows: the registered face from two sides, coloured by what was observed, and figures."""
        figures = {
            "name": self.name,
            "verdict": self.verdict,
            "unit": self.unit,
            "warnings": "; ".join(self.warnings) or "none",
        }
        return html_summary(picture(self.face_mesh, self._provenance), figures)

    def show(self) -> Any:
        """The registered face by provenance: a view to turn where k3d or PyVista is installed, a picture where not."""
        return show_mesh(self.mesh, self.face_mesh, self._provenance)

    @property
    def _provenance(self) -> Ints:
        return np.where(self.observed, Provenance.OBSERVED, Provenance.MODEL)

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write NAME.ply in the scan's own frame and unit, and its landmarks as NAME.csv, NAME.json and NAME.mrk.json.

        The vertices of NAME.ply carry observed (0 or 1), residual_mm, sigma_mm and region, a place in
        `template.region_names`. The folder is made.

        Raises
        ------
        ScanError
            When the folder cannot be written.
        """
        attributes = {
            "observed": self.observed.astype(np.uint8),
            "residual_mm": self.residual_mm.astype(np.float32),
            "sigma_mm": self.sigma_mm.astype(np.float32),
            "region": self.template.region.astype(np.uint8),
        }
        mesh = self.mesh.with_vertices(round_to_float32(self.vertices))
        try:
            write_registered(Path(directory), self.name, mesh, attributes=attributes, landmarks=self.landmarks)
        except OSError as error:
            raise ScanError(f"{directory} cannot be written ({error.strerror}); choose another folder") from None

    @property
    def mesh(self) -> Mesh:
        """The registered face in the scan's own frame and unit."""
        return Mesh(self.vertices, self.template.faces[-1], uv=self.template.uv)

    @property
    def face_mesh(self) -> Mesh:
        """The registered face in the face frame, mm."""
        return Mesh(self.in_face_frame, self.template.faces[-1], uv=self.template.uv)
