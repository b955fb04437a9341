"""What a scan can tell about skin: which wavelengths its spacing and its noise leave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_areas
from facecom.skin.relief import SPLITS_MM, HeightPatches, passed

SHORTEST_MM = 0.3
RESOLVING = 0.39
"""Share of a wavelength that the spacing may be: five samples on two waves."""


@dataclass(frozen=True, eq=False)
class BandReport:
    """Relief by band, finest first.

    Parameters
    ----------
    wavelengths_mm : (B, 2) float
    spacing_mm : float
        Edge of the equilateral triangle with the median area of the scan's triangles around the hole.
    noise_mm : float
        Standard deviation of what is white at that spacing: scanner noise, not skin.
    rms_mm, noise_rms_mm : (B,) float
        Relief measured in each band, and the part of it that the noise explains.
    resolved : (B,) bool
        Whether the spacing resolves the longest wave of the band.
    usable : (B,) bool
        Bands that are made: at least one sample a wave, and the relief above the noise.
    """

    wavelengths_mm: Floats
    spacing_mm: float
    noise_mm: float
    rms_mm: Floats
    noise_rms_mm: Floats
    resolved: Bools
    usable: Bools

    def sentence(self) -> str:
        """Say why nothing can be made from this scan, and what would be needed."""
        upper = ", ".join(f"{w:g}" for w in self.wavelengths_mm[:, 1])
        return (
            f"the scan carries no skin relief: its spacing is {self.spacing_mm:.2f} mm and its noise "
            f"{1e3 * self.noise_mm:.0f} µm; waves of up to {upper} mm need a spacing of at most half of that and "
            f"less noise than relief ({1e3 * float(self.rms_mm.max(initial=0.0)):.0f} µm)"
        )


def resolves_any(spacing_mm: float, *, longest_mm: float) -> bool:
    """Whether the spacing resolves the longest wave of some band."""
    return bool(_resolved(spacing_mm, wavelengths(longest_mm)).any())


def too_coarse(spacing_mm: float, *, longest_mm: float) -> str:
    """Say which spacing relief needs."""
    upper = wavelengths(longest_mm)[:, 1]
    needed = " or ".join(f"{RESOLVING * w:.2f} mm for waves of up to {w:g} mm" for w in upper[[-1, 1]])
    return (
        f"the scan carries no skin relief: its spacing is {spacing_mm:.2f} mm and relief needs {needed}; "
        "scan again, finer, or ask for synthetic skin"
    )


def _resolved(spacing_mm: float, waves: Floats) -> Bools:
    return spacing_mm < RESOLVING * waves[:, 1]


def wavelengths(longest_mm: float) -> Floats:
    """Shortest and longest wave of each band, (B, 2), mm."""
    edges = np.array([SHORTEST_MM, *SPLITS_MM, longest_mm])
    return np.stack([edges[:-1], edges[1:]], axis=1)


def local_spacing(mesh: Mesh, faces: Ints) -> float:
    """Edge of the equilateral triangle of the median area of some faces, mm."""
    part = Mesh(mesh.vertices, mesh.faces[np.unique(faces)])
    return float(np.sqrt(4.0 / np.sqrt(3.0) * np.median(face_areas(part))))


def white_noise(square: Floats, resolved: Bools, *, spacing_mm: float, waves: Floats) -> float:
    """Least standard deviation of white noise at the vertices that explains the two finest resolved bands, mm.

    The relief of skin does not gain energy from a band to the next finer one, noise that is white at the vertices
    does: so much noise is taken away that what is left does not grow (a bound from below).

    Parameters
    ----------
    square : (B,) float, mean square of each band, finest first, mm²
    resolved : (B,) bool, bands that the spacing resolves; the others are not looked at
    spacing_mm : float
    waves : (B, 2) float, mm

    Examples
    --------
    >>> bands = wavelengths(4.5)
    >>> noise = noise_by_band(0.02, 0.15, bands)
    >>> round(white_noise(noise, np.ones(4, bool), spacing_mm=0.15, waves=bands), 4)
    0.02
    """
    finest = np.flatnonzero(resolved)[:2]
    if len(finest) < 2:
        return 0.0
    fine, coarse = finest
    share = noise_by_band(1.0, spacing_mm, waves)
    excess = (square[fine] - square[coarse]) / max(share[fine] - share[coarse], 1e-12)
    most = np.min(square[finest] / np.maximum(share[finest], 1e-12))
    return float(np.sqrt(np.clip(excess, 0.0, most)))


def noise_by_band(noise_mm: float, spacing_mm: float, waves: Floats) -> Floats:
    """Mean square (B,) in each band of a surface whose vertices carry white noise, mm².

    The spectrum of white noise at that spacing times that of linear interpolation, sinc to the fourth, and
    of the filters that split the bands.
    """
    if not np.isfinite(spacing_mm):
        return np.zeros(len(waves))
    k = np.linspace(0.01, 8.0, 800)[:, None]
    blur = np.concatenate([np.ones_like(k), *(passed(k, w) for w in waves[:, 1])], axis=1)
    density = 2.0 * np.pi * k * np.sinc(k * spacing_mm) ** 4 * (blur[:, :-1] - blur[:, 1:]) ** 2
    vertex_area = 0.5 * np.sqrt(3.0) * spacing_mm**2
    return noise_mm**2 * vertex_area * np.trapezoid(density, k, axis=0)


def report_bands(
    charts: HeightPatches, *, spacing_mm: float, longest_mm: float, roughest_mm: float = 0.12
) -> BandReport:
    """Judge each band of the measured relief by the scan's spacing and noise; rougher than `roughest_mm` is no skin."""
    waves = wavelengths(longest_mm)
    own = charts.valid & ~charts.mirrored[:, None, None]
    valid = own if own.any() else charts.valid
    square = np.zeros(len(waves))
    if valid.any():
        square = np.exp(np.median(np.moveaxis(charts.energy, 1, -1)[valid], axis=0).astype(float))
    resolved = _resolved(spacing_mm, waves)
    noise_mm = white_noise(square, resolved, spacing_mm=spacing_mm, waves=waves)
    noise = noise_by_band(noise_mm, spacing_mm, waves)
    usable = (spacing_mm <= waves[:, 1]) & (square > 2.0 * noise) & (square > 1e-13) & (square.sum() < roughest_mm**2)
    if not (resolved & usable).any():
        usable = np.zeros_like(usable)
    return BandReport(waves, spacing_mm, noise_mm, np.sqrt(square), np.sqrt(noise), resolved, usable)
