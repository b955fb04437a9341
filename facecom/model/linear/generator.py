"""A linear face model: mean plus modes on the template, and a discrepancy that real faces have beyond the modes."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, read_only, vertex_normals
from facecom.model.encoding import SIGMA_MM, encode, gram_matrix
from facecom.model.population import MIRROR
from facecom.model.storage import (
    StorageFormat,
    check_finite,
    check_rows,
    checkpoint_errors,
    read_stored,
    to_int16,
    write_stored,
)
from facecom.model.template import FINEST_LEVEL, FIT_LEVEL, SHAPE_LEVEL, Template

KIND = StorageFormat("facecom-linear", 1)


@dataclass(frozen=True, eq=False)
class LinearGenerator:
    """Faces as `mean + sum of code_k * mode_k`, code ~ N(0, I).

    The first entries of the code are the modes of the population; the rest is the discrepancy: smooth offsets along the
    normals of the mean, with the covariance of what the modes left over on real faces.

    Parameters
    ----------
    template : Template; its vertices are the mean
    modes : (M, V2, 3) float32, mm for one standard deviation, on `SHAPE_LEVEL`
    mode_odd : (M,), which modes are left-right odd
    fields : (R, V1) float32, mm along the normals, the discrepancy on `FIT_LEVEL`
    field_odd : (R,)
    description : what goes into model.json besides the format: sources, settings, figures

    Examples
    --------
    >>> model = LinearGenerator.load()
    >>> model.decode(np.zeros(model.code_size), level=1).shape == (model.template.counts[1], 3)
    True
    """

    template: Template
    modes: np.ndarray
    mode_odd: Bools
    fields: np.ndarray
    field_odd: Bools
    description: dict[str, Any]

    def __post_init__(self) -> None:
        counts = self.template.counts
        if self.modes.ndim != 3 or self.modes.shape[1:] != (counts[SHAPE_LEVEL], 3):
            raise ValueError(f"modes must be (M, {counts[SHAPE_LEVEL]}, 3), got {self.modes.shape}")
        if self.fields.ndim != 2 or self.fields.shape[1] != counts[FIT_LEVEL]:
            raise ValueError(f"fields must be (R, {counts[FIT_LEVEL]}), got {self.fields.shape}")
        if self.mode_odd.shape != (len(self.modes),) or self.field_odd.shape != (len(self.fields),):
            raise ValueError(f"parities must be ({len(self.modes)},) and ({len(self.fields)},)")
        for name, dtype in (("modes", np.float32), ("fields", np.float32), ("mode_odd", bool), ("field_odd", bool)):
            object.__setattr__(self, name, read_only(getattr(self, name), dtype))

    def __repr__(self) -> str:
        return f"LinearGenerator({len(self.modes)} modes, {len(self.fields)} discrepancy fields)"

    @property
    def code_size(self) -> int:
        """Number of code entries, modes and discrepancy."""
        return len(self.modes) + len(self.fields)

    @property
    def identity_size(self) -> int:
        """Number of leading code entries that are modes of the population."""
        return len(self.modes)

    def faces(self, level: int) -> Ints:
        """Triangles of a level, (F, 3)."""
        return self.template.faces[level]

    def mean(self, level: int = FINEST_LEVEL) -> Mesh:
        """The mean face at a level."""
        return self.template.mesh(level)

    def sample(self, seed: int, *, level: int = FINEST_LEVEL, discrepancy: bool = False) -> Mesh:
        """A face drawn from the prior, as by `sampling.sample_meshes`; with `discrepancy` its fields are drawn too."""
        code = np.random.default_rng(seed).normal(size=self.code_size)
        if not discrepancy:
            code[self.identity_size :] = 0.0
        return self.template.mesh(level).with_vertices(self.decode(code, level=level))

    def encode(self, vertices: Floats, *, sigma_mm: float = SIGMA_MM) -> Floats:
        """Code (M + R,) of vertices (V, 3) of `SHAPE_LEVEL` or `FINEST_LEVEL`, mm, face frame.

        Least squares with the prior on `SHAPE_LEVEL`.

        Parameters
        ----------
        sigma_mm : standard deviation of the vertices

        Raises
        ------
        ValueError
            When the vertices are of neither level.
        """
        return encode(self, vertices, sigma_mm=sigma_mm, gram=self._gram)

    @functools.cached_property
    def _gram(self) -> Floats:
        return read_only(gram_matrix(self._jacobian(SHAPE_LEVEL)), np.float64)

    def decode(self, code: Floats, *, level: int = FINEST_LEVEL) -> Floats:
        """Vertices of a level for a code (M + R,), or codes (B, M + R): (V, 3) or (B, V, 3), mm, face frame.

        Raises
        ------
        ValueError
            When the code has another length.
        """
        code = np.asarray(code, float)
        if code.shape[-1:] != (self.code_size,) or code.ndim > 2:
            raise ValueError(f"expected codes of {self.code_size} entries, got shape {code.shape}")
        mean = self.template.vertices[: self.template.counts[level]]
        rows = code.reshape(-1, self.code_size)
        if level <= FIT_LEVEL:
            # entries behind the last that is not zero cost nothing
            used = int(np.max(np.flatnonzero(np.any(rows, axis=0)), initial=-1)) + 1
            offset = rows[:, :used] @ self.jacobian(code, level=level)[:, :used].T
            return mean + offset.reshape(*code.shape[:-1], -1, 3)
        return mean + self._offsets(rows.astype(np.float32), level).reshape(*code.shape[:-1], -1, 3)

    def _offsets(self, codes: np.ndarray, level: int) -> Floats:
        """Displacements (B, V, 3) on `SHAPE_LEVEL` or `FINEST_LEVEL`."""
        shape = codes[:, : self.identity_size] @ self.modes.reshape(self.identity_size, -1)
        fields = codes[:, self.identity_size :] @ self.fields
        field = self.template.prolong(fields.T, from_level=FIT_LEVEL, to_level=SHAPE_LEVEL)
        offset = shape.reshape(len(codes), -1, 3).transpose(1, 0, 2) + field[:, :, None] * self._normals[:, None]
        return self.prolong_offset(offset, from_level=SHAPE_LEVEL, to_level=level).transpose(1, 0, 2)

    def prolong_offset(self, offset: Floats, *, from_level: int, to_level: int) -> Floats:
        """Prolong displacements (V, ...) to a finer level, smoothly."""
        return self.template.prolong(offset, from_level=from_level, to_level=to_level, scheme="loop")

    def jacobian(self, code: Floats, *, level: int) -> Floats:
        """Derivative of the vertices, (3 V, M + R), mm; it is the same for every code.

        Raises
        ------
        ValueError
            For levels finer than the modes.
        """
        if level > SHAPE_LEVEL:
            raise ValueError(f"the modes live on level {SHAPE_LEVEL}; prolong what they give")
        return self._jacobian(level)

    @functools.cached_property
    def _normals(self) -> Floats:
        count = self.template.counts[SHAPE_LEVEL]
        return vertex_normals(self.template.vertices[:count], self.template.faces[SHAPE_LEVEL])

    @functools.cached_property
    def _jacobians(self) -> dict[int, Floats]:
        return {}

    def _jacobian(self, level: int) -> Floats:
        if level not in self._jacobians:
            count = self.template.counts[level]
            fields = self.fields.T
            if level > FIT_LEVEL:
                fields = self.template.prolong(fields, from_level=FIT_LEVEL, to_level=level)
            field_part = self._normals[:count, :, None] * fields[:count, None, :]
            shape_part = self.modes[:, :count].transpose(1, 2, 0)
            jacobian = np.concatenate([shape_part, field_part], axis=2).reshape(3 * count, -1)
            self._jacobians[level] = read_only(jacobian, np.float64 if level <= FIT_LEVEL else np.float32)
        return self._jacobians[level]

    def save(self, directory: str | Path) -> None:
        """Write model.json, weights.safetensors and the template; half of each even or odd mode is stored."""
        self.template.save(Path(directory) / "template")
        half = _one_side(self.template.mirror)
        modes, mode_scale = to_int16(self.modes[:, half[half < self.modes.shape[1]]].reshape(len(self.modes), -1))
        fields, field_scale = to_int16(self.fields[:, half[half < self.fields.shape[1]]])
        arrays = {
            "modes": modes,
            "mode_scale": mode_scale,
            "mode_odd": self.mode_odd.astype(np.uint8),
            "fields": fields,
            "field_scale": field_scale,
            "field_odd": self.field_odd.astype(np.uint8),
        }
        write_stored(directory, arrays, self.description, kind=KIND)

    @classmethod
    def load(cls, directory: str | Path | None = None) -> LinearGenerator:
        """Read a model; without a directory the shipped one, which is read once.

        Raises
        ------
        CheckpointError
            When a file is missing, damaged, of another version or of another kind; names the file and the reason.
        """
        return _shipped() if directory is None else _read(Path(directory))


@functools.cache
def _shipped() -> LinearGenerator:
    with resources.as_file(resources.files("facecom").joinpath("assets", "generator")) as folder:
        return _read(folder)


def _one_side(mirror: Ints) -> Ints:
    return np.flatnonzero(mirror >= np.arange(len(mirror)))


def _unmirrored_half(half_rows: np.ndarray, odd: Bools, mirror: Ints, *, vector: bool) -> np.ndarray:
    """Both sides of even or odd rows, (K, V, 3) or (K, V), from one side of each."""
    half = _one_side(mirror)
    out = np.zeros((len(half_rows), len(mirror), *half_rows.shape[2:]), np.float32)
    sign = np.where(odd, -1.0, 1.0).reshape(-1, *[1] * (half_rows.ndim - 1))
    out[:, mirror[half]] = half_rows * sign * (MIRROR if vector else 1.0)
    out[:, half] = half_rows
    return out


def _read(folder: Path) -> LinearGenerator:
    stored, text = read_stored(folder, kind=KIND)
    template = Template.load(folder / "template") if (folder / "template").is_dir() else Template.load()
    with checkpoint_errors(folder, kind=KIND):
        check_finite(stored, "modes", "mode_scale", "fields", "field_scale")
        for name in ("mode", "field"):
            check_rows(stored[f"{name}s"], stored[f"{name}_scale"], ndim=2)
        odd, field_odd = stored["mode_odd"].astype(bool), stored["field_odd"].astype(bool)
        modes = stored["modes"].astype(np.float32) * stored["mode_scale"][:, None].astype(np.float32)
        fields = stored["fields"].astype(np.float32) * stored["field_scale"][:, None].astype(np.float32)
        coarse, fine = (template.mirror[: template.counts[k]] for k in (FIT_LEVEL, SHAPE_LEVEL))
        return LinearGenerator(
            template=template,
            modes=_unmirrored_half(modes.reshape(len(modes), -1, 3), odd, fine, vector=True),
            mode_odd=odd,
            fields=_unmirrored_half(fields, field_odd, coarse, vector=False),
            field_odd=field_odd,
            description={k: v for k, v in text.items() if k not in ("format", "version", "sha256")},
        )
