"""Which bands of wavelengths a scan resolves, and how much of each is noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_areas
from facecom.skin.band_filters import BAND_EDGES_MM, low_pass_response
from facecom.skin.height_patches import HeightPatches

MIN_WAVELENGTH_MM = 0.3
"""Shortest wave of the finest band."""
MAX_SPACING_SHARE = 0.39
"""Share of a wavelength that the spacing may be: five samples on two waves."""
MIN_POWER_OVER_NOISE = 2.0
"""Band power over noise power from which on a band is made."""
MIN_POWER_MM2 = 1e-13
"""Less band power than `local_log_power` ever gives: no height map shows a valid pixel."""
MAX_WAVE_NUMBER, WAVE_NUMBERS = 8.0, 800
"""Highest wave number (per mm) and number of them over which spectra are integrated."""


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
        Relief observed in each band, and the part of it that the noise explains.
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

    def problem(self) -> str:
        """Say why nothing can be made from this scan, and what would be needed."""
        upper = ", ".join(f"{w:g}" for w in self.wavelengths_mm[:, 1])
        return (
            f"the scan carries no skin relief: its spacing is {self.spacing_mm:.2f} mm and its noise "
            f"{1e3 * self.noise_mm:.0f} µm; waves of up to {upper} mm need a spacing of at most half of that and "
            f"less noise than relief ({1e3 * float(self.rms_mm.max(initial=0.0)):.0f} µm)"
        )


def resolves_any(spacing_mm: float, *, max_wavelength_mm: float) -> bool:
    """Whether the spacing resolves the longest wave of some band.

    Examples
    --------
    >>> resolves_any(0.2, max_wavelength_mm=4.5), resolves_any(2.0, max_wavelength_mm=4.5)
    (True, False)
    """
    return bool(_resolved(spacing_mm, band_wavelengths(max_wavelength_mm)).any())


def spacing_problem(spacing_mm: float, *, max_wavelength_mm: float) -> str:
    """Say which spacing relief needs."""
    upper = band_wavelengths(max_wavelength_mm)[:, 1]
    needed = " or ".join(f"{MAX_SPACING_SHARE * w:.2f} mm for waves of up to {w:g} mm" for w in upper[[-1, 1]])
    return (
        f"the scan carries no skin relief: its spacing is {spacing_mm:.2f} mm and relief needs {needed}; "
        "scan again, finer, or ask for synthetic skin"
    )


def _resolved(spacing_mm: float, wavelengths: Floats) -> Bools:
    return spacing_mm < MAX_SPACING_SHARE * wavelengths[:, 1]


def band_wavelengths(max_wavelength_mm: float) -> Floats:
    """Shortest and longest wave of each band, (B, 2), mm, finest band first.

    Examples
    --------
    >>> band_wavelengths(4.5)[-1]
    array([2.4, 4.5])
    """
    edges = np.array([MIN_WAVELENGTH_MM, *BAND_EDGES_MM, max_wavelength_mm])
    return np.stack([edges[:-1], edges[1:]], axis=1)


def local_spacing(mesh: Mesh, faces: Ints) -> float:
    """Edge of the equilateral triangle of the median area of some faces, mm."""
    part = Mesh(mesh.vertices, mesh.faces[np.unique(faces)])
    return float(np.sqrt(4.0 / np.sqrt(3.0) * np.median(face_areas(part))))


def estimate_white_noise(power: Floats, resolved: Bools, *, spacing_mm: float, wavelengths: Floats) -> float:
    """Least standard deviation of white noise at the vertices that explains the two finest resolved bands, mm.

    The relief of skin does not gain power from a band to the next finer one, noise that is white at the vertices does:
    so much noise is taken away that what is left does not grow (a bound from below).

    Parameters
    ----------
    power : (B,) float, mean square of each band, finest first, mm²
    resolved : (B,) bool, bands that the spacing resolves; the others are not looked at
    spacing_mm : float
    wavelengths : (B, 2) float, mm

    Examples
    --------
    >>> bands = band_wavelengths(4.5)
    >>> noise = noise_power(0.02, 0.15, bands)
    >>> round(estimate_white_noise(noise, np.ones(4, bool), spacing_mm=0.15, wavelengths=bands), 4)
    0.02
    """
    finest = np.flatnonzero(resolved)[:2]
    if len(finest) < 2:
        return 0.0
    fine, coarse = finest
    share = noise_power(1.0, spacing_mm, wavelengths)
    excess = (power[fine] - power[coarse]) / max(share[fine] - share[coarse], 1e-12)
    most = np.min(power[finest] / np.maximum(share[finest], 1e-12))
    return float(np.sqrt(np.clip(excess, 0.0, most)))


def noise_power(noise_mm: float, spacing_mm: float, wavelengths: Floats) -> Floats:
    """Mean square (B,) in each band of a surface whose vertices carry white noise, mm².

    The spectrum of white noise at that spacing times that of linear interpolation, sinc to the fourth, and of the
    filters that split the bands.

    Parameters
    ----------
    noise_mm : float, standard deviation
    spacing_mm : float
    wavelengths : (B, 2) float, mm
    """
    if not np.isfinite(spacing_mm):
        return np.zeros(len(wavelengths))
    k = np.linspace(0.01, MAX_WAVE_NUMBER, WAVE_NUMBERS)[:, None]
    response = np.concatenate([np.ones_like(k), *(low_pass_response(k, w) for w in wavelengths[:, 1])], axis=1)
    density = 2.0 * np.pi * k * np.sinc(k * spacing_mm) ** 4 * (response[:, :-1] - response[:, 1:]) ** 2
    vertex_area = 0.5 * np.sqrt(3.0) * spacing_mm**2
    return noise_mm**2 * vertex_area * np.trapezoid(density, k, axis=0)


def report_bands(
    height_patches: HeightPatches, *, spacing_mm: float, max_wavelength_mm: float, max_rms_mm: float = 0.12
) -> BandReport:
    """Judge each band of the observed relief by the scan's spacing and noise.

    Parameters
    ----------
    height_patches : HeightPatches
        Those of this side, if there are any, else those of the opposite side.
    spacing_mm, max_wavelength_mm : float
    max_rms_mm : float, what is rougher is no skin
    """
    wavelengths = band_wavelengths(max_wavelength_mm)
    own = height_patches.valid & ~height_patches.mirrored[:, None, None]
    valid = own if own.any() else height_patches.valid
    power = np.zeros(len(wavelengths))
    if valid.any():
        power = np.exp(np.median(np.moveaxis(height_patches.log_power, 1, -1)[valid], axis=0).astype(float))
    resolved = _resolved(spacing_mm, wavelengths)
    noise_mm = estimate_white_noise(power, resolved, spacing_mm=spacing_mm, wavelengths=wavelengths)
    noise = noise_power(noise_mm, spacing_mm, wavelengths)
    usable = (spacing_mm <= wavelengths[:, 1]) & (power > MIN_POWER_OVER_NOISE * noise)
    usable = usable & (power > MIN_POWER_MM2) & (power.sum() < max_rms_mm**2)
    if not (resolved & usable).any():
        usable = np.zeros_like(usable)
    return BandReport(wavelengths, spacing_mm, noise_mm, np.sqrt(power), np.sqrt(noise), resolved, usable)
