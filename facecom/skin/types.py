"""The values of the skin-detail stage: its settings, its result, and where each vertex of it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from facecom.geometry.mesh import Floats, Ints, Mesh
from facecom.skin import quilting
from facecom.skin.noise_bands import BandReport

DetailMode = Literal["own", "synthetic"]


@dataclass(frozen=True)
class DetailSettings:
    """What `add_detail` makes and how; lengths in mm.

    Parameters
    ----------
    mode : "own" makes relief from this person's skin or none; "synthetic" falls back to a generic skin
    border_mm : how far the fine mesh reaches over the seen skin
    edge_mm : longest edge of the fine mesh
    coarse_mm : edge at which smooth fields are solved, at most
    longest_mm : longer waves are shape and belong to the smooth face
    decay_mm : over what distance the smooth face's own error at the rim is carried into the hole
    uncrease_mm : how near the rim a sharp bend of the smooth face is taken for an error and evened out; 0 never
    reach_mm : how far the scan may lie from the face
    source_mm : how far from the hole skin is taken from, here and on the mirrored side
    chart_mm : distance of the height maps that measure it
    mirror_trust : share of the mirrored side's changes of relief energy that is believed
    tension_share : share of a direction that was not measured which the tension lines of faces at large give
    lean, lean_share : skewness that skin is expected to have (pores make it negative), and its weight against what
        was measured
    corrections : how often the band energies of what was made are measured and corrected
    longest_share : share of its own correction that the longest band gets; the rest is the next finer band's
    rim_mm : over what distance the made relief is bent to meet the measured one
    smallest_mm2 : smaller holes are left alone
    largest_mm2 : larger ones are left smooth, with a warning
    quilt : how patches of skin are chosen and laid
    """

    mode: DetailMode = "own"
    border_mm: float = 6.0
    edge_mm: float = 0.2
    coarse_mm: float = 0.8
    longest_mm: float = 5.5
    decay_mm: float = 20.0
    uncrease_mm: float = 0.7
    reach_mm: float = 2.0
    source_mm: float = 13.0
    chart_mm: float = 4.75
    mirror_trust: float = 0.7
    tension_share: float = 0.3
    lean: float = -0.2
    lean_share: float = 0.5
    corrections: int = 2
    longest_share: float = 0.3
    rim_mm: float = 0.5
    smallest_mm2: float = 60.0
    largest_mm2: float = 9000.0
    quilt: quilting.QuiltSettings = field(default_factory=quilting.QuiltSettings)


@dataclass(frozen=True, eq=False)
class Detail:
    """Skin detail on the fine mesh of the hole and its border.

    Parameters
    ----------
    mesh : Mesh
        The fine mesh with its relief, mm; where the scan was seen it lies on the scan.
    smooth : Mesh
        The same mesh without relief: the subdivided face.
    normals : (P, 3) float
        Its unit normals.
    displacement : (P,) float, mm
        From `smooth` to `mesh` along `normals`.
    low : (P,) float, mm
        The smooth part of it: what the face itself was off at the rim, carried into the hole.
    provenance : (P,) int
        A `Provenance`: OBSERVED on the scan, MIRRORED where relief of the other side was laid, SYNTHESISED where relief
        was made from this side or from a generic skin, MODEL where the face stays smooth.
    generic : bool
        Whether the relief is a generic skin's, since the scan shows none of this person's.
    bands : BandReport
    warnings : tuple of str
    """

    mesh: Mesh
    smooth: Mesh
    normals: Floats
    displacement: Floats
    low: Floats
    provenance: Ints
    bands: BandReport
    warnings: tuple[str, ...]
    generic: bool = False
