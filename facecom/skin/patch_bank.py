"""Height maps made ready for the search for patches: spectra, spline coefficients, windows valid throughout."""

from __future__ import annotations

import numpy as np
import scipy.fft
from scipy.ndimage import map_coordinates, spline_filter

from facecom.geometry.mesh import Floats, Ints
from facecom.skin.band_filters import Singles
from facecom.skin.height_patches import HeightPatches, distance_to_invalid


class PatchBank:
    """Windows of height maps from which patches can be taken, A of them.

    Attributes
    ----------
    windows : (A, 3) int, map, row and column of each window's centre
    log_power : (A, B) float, band power at the centre
    direction : (A, 2) float
    points : (A, 3) float, mm
    used : (A,) float, how much each has been used already
    """

    def __init__(self, height_patches: HeightPatches, radius_mm: float) -> None:
        self.height_patches = height_patches
        image = height_patches.bands.sum(1)
        self.size = image.shape[-1]
        self.spectrum = scipy.fft.rfft2(image, workers=-1)
        self.squared = scipy.fft.rfft2(image**2, workers=-1)
        self.windows = valid_windows(height_patches, radius_mm)
        n, y, x = self.windows.T
        self.log_power = height_patches.log_power[n, :, y, x].astype(float)
        self.direction = height_patches.direction[n, :, y, x].astype(float)
        self.points = height_patches.points[n, y, x].astype(float)
        self.used = np.zeros(len(self.windows))
        self.coefficients = np.stack(
            [[spline_filter(band, 3, output=np.float32) for band in bands] for bands in height_patches.bands]
        )

    def misfit(self, image: Singles, mask: Singles) -> Floats:
        """Sum of squared differences between `image` where `mask` and every window, (A,), mm²."""
        half = image.shape[0] // 2
        sheet = np.zeros((2, self.size, self.size), np.float32)
        sheet[0, : len(mask), : len(mask)] = image * mask
        sheet[1, : len(mask), : len(mask)] = mask
        product, square = np.conj(scipy.fft.rfft2(np.roll(sheet, (-half, -half), (1, 2))))
        total = scipy.fft.irfft2(self.squared * square - 2 * self.spectrum * product, s=(self.size,) * 2, workers=-1)
        n, y, x = self.windows.T
        return np.maximum(total[n, y, x] + float((mask * image**2).sum()), 0.0)

    def sample(self, pick: int, offsets: Floats) -> tuple[Floats, Floats]:
        """Bands and log power, each (Q, B), of a window at offsets (Q, 2) in mm from its centre."""
        n, y, x = self.windows[pick]
        at = offsets[:, ::-1].T / self.height_patches.pixel_mm + np.array([[y], [x]])
        cubic = [map_coordinates(c, at, order=3, prefilter=False, mode="nearest") for c in self.coefficients[n]]
        power = [map_coordinates(p, at, order=1, mode="nearest") for p in self.height_patches.log_power[n]]
        return np.stack(cubic, 1).astype(float), np.stack(power, 1).astype(float)


def valid_windows(height_patches: HeightPatches, radius_mm: float) -> Ints:
    """Map, row and column of every pixel with a whole patch of valid pixels around it, (A, 3)."""
    padded = np.pad(height_patches.valid, ((0, 0), (1, 1), (1, 1)))
    room = distance_to_invalid(padded)[:, 1:-1, 1:-1]
    return np.argwhere(room > radius_mm / height_patches.pixel_mm + 1)


def has_room(height_patches: HeightPatches, radius_mm: float) -> bool:
    """Whether some height map shows a whole patch of valid skin."""
    return len(height_patches.centres) > 0 and len(valid_windows(height_patches, radius_mm)) > 0
