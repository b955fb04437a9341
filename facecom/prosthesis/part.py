"""What is designed: a part with its mould, in the scan's own frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facecom.drawing.notebook import html_summary, picture, show_mesh
from facecom.geometry.mesh import Ints, Mesh
from facecom.io.conversion import Convertible
from facecom.io.files import write_bytes
from facecom.io.images import png_bytes
from facecom.prosthesis.output.comparison import comparison_picture
from facecom.prosthesis.output.files import save_part
from facecom.prosthesis.output.part_data import PartData
from facecom.prosthesis.output.pictures import PNG_LEVEL
from facecom.provenance import Provenance

MM3_PER_CM3 = 1000.0


@dataclass(frozen=True, eq=False)
class Prosthesis(PartData, Convertible):
    """A part and its mould in the scan's own frame, in mm: a design aid, no medical device; a clinician decides.

    `to_trimesh()` and its like give the shell; `facecom.io.conversion.to_trimesh(part.mould_a)` a half of the mould.

    Parameters
    ----------
    shell : Mesh, closed, the part itself
    mould_a, mould_b : Mesh, closed, halves of the mould: a shapes the visible skin, b the intaglio
    provenance : (V,) int for each vertex of `shell`: a `Provenance`, -1 where it is not on the outer face
    sigma_mm : (V,) float, NaN where it is not on the outer face
    axis : (3,) float, unit, withdrawal axis in the scan's frame
    pose : Similarity, the scan's own frame and unit -> face frame, mm
    to_face : Similarity, the scan's frame in mm, in which the meshes are -> face frame
    inspection : Inspection
    settings : DesignSettings
    input_sha256 : of the completed surface that it was made from
    versions : of the packages that took part
    warnings : tuple of str
    """

    def __repr__(self) -> str:
        i = self.inspection
        size = f"{i.volume_mm3 / MM3_PER_CM3:.1f} cm3, wall {i.wall.median:.1f} mm"
        return f"Prosthesis({size}, {len(self.warnings)} warnings)"

    def _repr_html_(self) -> str:
        """What a notebook shows: the part from two sides, coloured by where its surface comes from, and figures."""
        i = self.inspection
        figures = {
            "volume": f"{i.volume_mm3 / MM3_PER_CM3:.1f} cm3, {i.mass_g:.0f} g",
            "wall": f"{i.wall.median:.1f} mm (median)",
            "rim": f"{i.rim.min:.2f} mm and more",
            "warnings": "; ".join(self.warnings) or "none",
            "notice": i.notice,
        }
        return html_summary(picture(self._in_face, self._outer_provenance), figures)

    def show(self) -> Any:
        """The part by provenance: a view to turn where k3d or PyVista is installed, a picture where not."""
        return show_mesh(self.shell, self._in_face, self._outer_provenance)

    @property
    def _in_face(self) -> Mesh:
        return self.shell.with_vertices(self.to_face.apply(self.shell.vertices))

    @property
    def _outer_provenance(self) -> Ints:
        """As `provenance`, the intaglio in the grey of what was observed."""
        return np.maximum(self.provenance, Provenance.OBSERVED)

    @property
    def mesh(self) -> Mesh:
        """The part itself, `shell`."""
        return self.shell

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write shell.stl, .3mf and .ply, mould_a.stl, mould_b.stl, inspection.json and .png, and prosthesis.json.

        Equal parts give equal bytes; a file appears under its name only when it is complete.

        Parameters
        ----------
        directory : made where it is missing

        Raises
        ------
        ScanError
            When the folder cannot be written.
        """
        save_part(self, directory)


def save_comparison(parts: Sequence[PartData], path: str | os.PathLike[str]) -> None:
    """Write a PNG of designs of one part side by side, and how far each is from the first.

    Parameters
    ----------
    parts : the most likely design first, then others such as those of `alternatives`
    path : of the file

    Raises
    ------
    ScanError
        When the file cannot be written.
    """
    write_bytes(path, png_bytes(comparison_picture(parts), compress_level=PNG_LEVEL))
