"""Settings and result of the skin-detail stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from facecom.geometry.mesh import Floats, Ints, Mesh
from facecom.skin.noise_bands import BandReport
from facecom.skin.quilting import QuiltSettings

DetailMode = Literal["own", "synthetic"]


@dataclass(frozen=True)
class DetailSettings:
    """What `add_detail` makes and how; lengths in mm."""

    mode: DetailMode = "own"
    """`own` makes relief from this person's skin or none; `synthetic` falls back to synthetic skin."""
    border_mm: float = 6.0
    """How far the fine mesh reaches over the observed skin."""
    edge_mm: float = 0.2
    """Longest edge of the fine mesh."""
    coarse_mm: float = 0.8
    """Median edge at which smooth fields are solved, at most."""
    max_wavelength_mm: float = 5.5
    """Longer waves are shape and belong to the smooth face."""
    decay_mm: float = 20.0
    """Distance over which the smooth face's own residual at the rim fades into the hole."""
    crease_mm: float = 0.7
    """How near the rim a sharp bend of the smooth face is taken for an error and smoothed; 0 for never."""
    reach_mm: float = 2.0
    """How far the scan may lie from the face."""
    source_mm: float = 13.0
    """How far from the hole skin is taken from, here and on the opposite side."""
    patch_spacing_mm: float = 4.75
    """Distance of the height maps that measure it."""
    mirror_weight: float = 0.7
    """Share of the opposite side's changes of band power that is expected here."""
    tension_share: float = 0.3
    """Share of a direction that was not observed which the tension lines of faces at large give."""
    prior_skewness: float = -0.2
    """Skewness that skin is expected to have: pores make it negative."""
    skewness_prior_weight: float = 0.5
    """Weight of the expected skewness against the observed one."""
    power_corrections: int = 2
    """How often the band power of what was made is measured and corrected."""
    longest_band_share: float = 0.3
    """Share of its own correction that the longest band gets; the rest is the next finer band's."""
    rim_blend_mm: float = 0.5
    """Distance over which the made relief is bent to meet the observed one."""
    smallest_mm2: float = 60.0
    """Smaller holes are left alone."""
    largest_mm2: float = 9000.0
    """Larger ones are left smooth, with a warning."""
    quilt: QuiltSettings = field(default_factory=QuiltSettings)
    """How patches of skin are chosen and laid."""


@dataclass(frozen=True, eq=False)
class Detail:
    """Skin detail on the fine mesh of the hole and its border.

    Parameters
    ----------
    mesh : Mesh
        The fine mesh with its relief, mm; where the scan was observed it lies on the scan.
    smooth : Mesh
        The same mesh without relief: the subdivided face.
    normals : (P, 3) float
        Its unit normals.
    displacement : (P,) float, mm
        From `smooth` to `mesh` along `normals`.
    base_offset : (P,) float, mm
        The smooth part of it: the residual of the face at the rim, extrapolated into the hole.
    provenance : (P,) int
        A `Provenance`: OBSERVED on the scan, MIRRORED where relief of the opposite side was laid, SYNTHESISED where
        relief was made from this side or from synthetic skin, MODEL where the face stays smooth.
    bands : BandReport
    warnings : tuple of str
    synthetic : bool
        Whether the relief is that of synthetic skin, since the scan shows none of this person's.
    """

    mesh: Mesh
    smooth: Mesh
    normals: Floats
    displacement: Floats
    base_offset: Floats
    provenance: Ints
    bands: BandReport
    warnings: tuple[str, ...]
    synthetic: bool = False
