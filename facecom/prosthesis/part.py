"""What is designed: a part with its mould, in the scan's own frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from facecom.geometry.mesh import Floats, Ints, Mesh
from facecom.geometry.transform import Similarity
from facecom.io.conversion import Convertible
from facecom.prosthesis.inspection import Inspection
from facecom.prosthesis.settings import DesignSettings

if TYPE_CHECKING:
    import os


@dataclass(frozen=True, eq=False)
class Prosthesis(Convertible):
    """A part and its mould in the scan's own frame, in mm: a design aid, no medical device; a clinician decides.

    `to_trimesh()` and its like give the shell; `facecom.io.conversion.to_trimesh(part.mould_a)` a half of the mould.

    Parameters
    ----------
    shell, mould_a, mould_b : Mesh, closed; a shapes the visible skin, b the inner face
    provenance : (V,) int for each vertex of `shell`: a `Provenance`, -1 where it is not the outer face
    sigma_mm : (V,) float, NaN where it is not the outer face
    axis : (3,) float, unit, withdrawal axis in the scan's frame
    to_face : Similarity, scan frame in mm -> face frame
    inspection : Inspection
    settings : DesignSettings
    input_sha256 : of the completed surface that it was made from
    versions : of the packages that took part
    warnings : tuple of str
    """

    shell: Mesh
    mould_a: Mesh
    mould_b: Mesh
    provenance: Ints
    sigma_mm: Floats
    axis: Floats
    to_face: Similarity
    inspection: Inspection
    settings: DesignSettings
    input_sha256: str
    versions: dict[str, str]
    warnings: tuple[str, ...]

    @property
    def mesh(self) -> Mesh:
        """The part itself, `shell`."""
        return self.shell

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write shell.stl, .3mf and .ply, mould_a.stl, mould_b.stl, inspection.json and .png, and prosthesis.json.

        Equal parts give equal bytes; a file appears under its name only when it is complete.

        Raises
        ------
        ScanError
            When the folder cannot be written.
        """
        from facecom.prosthesis.output.files import save_prosthesis

        save_prosthesis(self, directory)
