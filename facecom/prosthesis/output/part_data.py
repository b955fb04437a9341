"""The values of a part, from which its files and pictures are made."""

from __future__ import annotations

from dataclasses import dataclass

from facecom.geometry.mesh import Floats, Ints, Mesh
from facecom.geometry.transform import Similarity
from facecom.prosthesis.inspection import Inspection
from facecom.prosthesis.settings import DesignSettings


@dataclass(frozen=True, eq=False)
class PartData:
    """The values of a part; `Prosthesis` says what each of them is."""

    shell: Mesh
    mould_a: Mesh
    mould_b: Mesh
    provenance: Ints
    sigma_mm: Floats
    axis: Floats
    pose: Similarity
    to_face: Similarity
    inspection: Inspection
    settings: DesignSettings
    input_sha256: str
    versions: dict[str, str]
    warnings: tuple[str, ...]
