"""The face template: a symmetric mesh in nested levels with named regions, landmarks and a uv map."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, read_only, unique_edges
from facecom.geometry.subdivision import loop_matrix, midpoint_matrix
from facecom.io.landmark_names import LANDMARK_ALIASES as LANDMARK_ALIASES
from facecom.io.landmark_names import LANDMARK_NAMES as LANDMARK_NAMES
from facecom.io.landmark_names import unknown_landmark
from facecom.model.storage import StorageFormat, check_finite, checkpoint_errors, read_stored, write_stored

COARSEST_LEVEL = 0
"""About 0.8k vertices: where many starting poses are tried at once."""
FIT_LEVEL = 1
"""About 3k vertices: where pose and code are fitted, and where discrepancy fields and expressions live."""
SHAPE_LEVEL = 2
"""About 12k vertices: where the modes of the population live; derivatives end here."""
FINEST_LEVEL = 3
"""About 48k vertices: what is projected onto a scan, stitched and written."""
LEVEL_COUNT = FINEST_LEVEL + 1
KIND = StorageFormat("facecom-template", 1, "template.npz", "template.json")


@dataclass(frozen=True, eq=False, repr=False)
class Template:
    """Mean face of the template; vertex i of a level is vertex i of each finer level.

    Parameters
    ----------
    vertices : (V, 3) float, mm, face frame: x to the subject's left, y up, z out of the face, origin at the nose tip
    faces : four arrays (F, 3) int, coarse to fine; each level splits every face of the one before in four
    mirror : (V,) int, the vertex on the other side; itself on the midline
    uv : (V, 2) float in 0..1, injective, symmetric about u = 0.5
    region : (V,) int, index into `region_names`
    region_names : names as face parsers use them, sides are the subject's
    landmarks : the 68 iBUG points by name, see `LANDMARK_NAMES`
    masks : further (V,) bool arrays by name: scalp, eyelids, nostrils

    Examples
    --------
    >>> template = Template.load()
    >>> template.mesh(1).vertices.shape == (template.counts[1], 3)
    True
    """

    vertices: Floats
    faces: tuple[Ints, ...]
    mirror: Ints
    uv: Floats
    region: Ints
    region_names: tuple[str, ...]
    landmarks: Mapping[str, int]
    masks: Mapping[str, Bools]

    def __repr__(self) -> str:
        return f"Template({len(self.vertices):,} vertices, {len(self.faces)} levels)"

    def __post_init__(self) -> None:
        put = functools.partial(object.__setattr__, self)
        put("vertices", read_only(self.vertices, np.float64, 3))
        put("faces", tuple(read_only(level, np.int64, 3) for level in self.faces))
        put("uv", read_only(self.uv, np.float64, 2))
        for name in ("mirror", "region"):
            put(name, read_only(getattr(self, name), np.int64))
        put("landmarks", MappingProxyType({name: int(k) for name, k in self.landmarks.items()}))
        put("masks", MappingProxyType({name: read_only(mask, np.bool_) for name, mask in self.masks.items()}))
        count = len(self.vertices)
        rows = {"mirror": self.mirror, "uv": self.uv, "region": self.region, **self.masks}
        wrong = [name for name, array in rows.items() if len(array) != count]
        if wrong:
            raise ValueError(f"{', '.join(wrong)} must have one row for each of the {count} vertices")
        if len(self.faces) != LEVEL_COUNT or self.counts[-1] != count:
            raise ValueError(f"expected {LEVEL_COUNT} levels of faces, the finest one using all {count} vertices")
        if any(level.min() < 0 for level in self.faces) or list(self.counts) != sorted(self.counts):
            raise ValueError("the faces of some level name vertices that are not there")
        ends = {"mirror": count, "region": len(self.region_names)}
        named = {name: (rows[name], end) for name, end in ends.items()}
        named["landmarks"] = (np.array([*self.landmarks.values()], np.int64), count)
        wrong = [name for name, (k, end) in named.items() if len(k) and not 0 <= k.min() <= k.max() < end]
        if wrong:
            raise ValueError(f"{', '.join(wrong)} name what is not there")

    @functools.cached_property
    def counts(self) -> tuple[int, ...]:
        """Number of vertices of each level, coarse to fine."""
        return tuple(int(level.max()) + 1 for level in self.faces)

    def mesh(self, level: int = FINEST_LEVEL) -> Mesh:
        """Return the mean face at a level, with its uv.

        Raises
        ------
        ValueError
            When there is no such level.
        """
        count = self.counts[_checked_level(level)]
        return Mesh(self.vertices[:count], self.faces[level], uv=self.uv[:count])

    def region_mask(self, name: str, level: int = FINEST_LEVEL) -> Bools:
        """Vertices of a level that belong to a region or to one of the masks, (n,) bool.

        Raises
        ------
        ValueError
            When the name is unknown; the message lists the names.
        """
        count = self.counts[_checked_level(level)]
        if name in self.masks:
            return self.masks[name][:count].copy()
        if name not in self.region_names:
            known = ", ".join((*self.region_names, *self.masks))
            raise ValueError(f"there is no region {name!r}; the template has {known}")
        return self.region[:count] == self.region_names.index(name)

    def landmark_index(self, name: str) -> int:
        """Vertex of a landmark by its iBUG name or an alias such as `nose_tip`.

        Raises
        ------
        ValueError
            When the name is unknown; the message lists the nearest names and all that are known.

        Examples
        --------
        >>> template = Template.load()
        >>> template.landmark_index("nose_tip") == template.landmarks["nose_bridge_4"]
        True
        """
        full = LANDMARK_ALIASES.get(name, name)
        if full not in self.landmarks:
            raise ValueError(unknown_landmark(name))
        return self.landmarks[full]

    def prolong(
        self,
        values: ArrayLike,
        *,
        from_level: int,
        to_level: int = FINEST_LEVEL,
        scheme: Literal["midpoint", "loop"] = "midpoint",
    ) -> Floats:
        """Interpolate values from a level to a finer one.

        Parameters
        ----------
        values : (n, ...) float, one row for each vertex of `from_level`
        from_level, to_level : int
        scheme : "midpoint" keeps coarse values and is linear between them; "loop" is smooth and changes them

        Returns
        -------
        (m, ...) float, one row for each vertex of `to_level`

        Raises
        ------
        ValueError
            On unknown levels or schemes, a coarser target, or a wrong number of rows.
        """
        if scheme not in ("midpoint", "loop"):
            raise ValueError(f"scheme must be 'midpoint' or 'loop', not {scheme!r}")
        if _checked_level(to_level) < _checked_level(from_level):
            raise ValueError(f"cannot prolong from level {from_level} to the coarser level {to_level}")
        out = np.asarray(values, dtype=float)
        if len(out) != self.counts[from_level]:
            raise ValueError(f"level {from_level} has {self.counts[from_level]} vertices, got {len(out)} rows")
        tail = out.shape[1:]
        out = out.reshape(len(out), -1)
        for level in range(from_level, to_level):
            out = self.prolongation(level, scheme=scheme) @ out
        return out.reshape(len(out), *tail)

    def prolongation(self, level: int, *, scheme: Literal["midpoint", "loop"] = "midpoint") -> sp.csr_matrix:
        """Sparse matrix (counts[level + 1], counts[level]) of one step of `prolong`; not to be changed."""
        key = (_checked_level(level), scheme)
        if key not in self._steps:
            faces, count = self.faces[level], self.counts[level]
            smooth = scheme == "loop"
            self._steps[key] = loop_matrix(faces, count) if smooth else midpoint_matrix(unique_edges(faces)[0], count)
        return self._steps[key]

    @functools.cached_property
    def _steps(self) -> dict[tuple[int, str], sp.csr_matrix]:
        return {}

    def save(self, directory: str | Path) -> None:
        """Write template.npz and template.json into a directory; the same template gives the same bytes."""
        arrays: dict[str, np.ndarray] = {
            "vertices": self.vertices,
            **{f"faces_{k}": level.astype(np.int32) for k, level in enumerate(self.faces)},
            "mirror": self.mirror.astype(np.int32),
            "uv": self.uv,
            "region": self.region.astype(np.int8),
            "landmarks": np.array([self.landmarks[name] for name in LANDMARK_NAMES], np.int32),
            **{f"mask_{name}": mask for name, mask in sorted(self.masks.items())},
        }
        description = {
            "counts": list(self.counts),
            "region_names": list(self.region_names),
            "landmark_names": list(LANDMARK_NAMES),
            "sources": ["ICT-FaceKit (USC Institute for Creative Technologies), MIT licence: shape of the mean"],
        }
        write_stored(directory, arrays, description, kind=KIND)

    @classmethod
    def load(cls, directory: str | Path | None = None) -> Template:
        """Read a template; without a directory the shipped one, which is read once.

        Raises
        ------
        CheckpointError
            When a file is missing, damaged, of another version or of another kind; names the file and the reason.
        """
        if directory is None:
            return _shipped()
        return _read(Path(directory))


def read_with_template(
    folder: str | Path, *, kind: StorageFormat
) -> tuple[dict[str, np.ndarray], dict[str, Any], Template]:
    """Arrays, description and template of a model's folder.

    Raises
    ------
    CheckpointError
        When a file is missing, damaged, of another version or of another kind; names the file and the reason.
    """
    return (*read_stored(folder, kind=kind), Template.load(Path(folder) / "template"))


@functools.cache
def _shipped() -> Template:
    with resources.as_file(resources.files("facecom").joinpath("assets", "template")) as folder:
        return _read(folder)


def _checked_level(level: int) -> int:
    if level not in range(LEVEL_COUNT):
        raise ValueError(f"the template has levels 0 to {LEVEL_COUNT - 1}, not {level!r}")
    return level


def _read(folder: Path) -> Template:
    arrays, description = read_stored(folder, kind=KIND)
    with checkpoint_errors(folder, kind=KIND):
        return _from_arrays(arrays, description)


def _from_arrays(arrays: dict[str, np.ndarray], description: dict[str, Any]) -> Template:
    names = description["landmark_names"]
    check_finite(arrays, "vertices", "uv")
    masks = {name.removeprefix("mask_"): value for name, value in arrays.items() if name.startswith("mask_")}
    template = Template(
        vertices=arrays["vertices"],
        faces=tuple(arrays[f"faces_{level}"] for level in range(LEVEL_COUNT)),
        mirror=arrays["mirror"],
        uv=arrays["uv"],
        region=arrays["region"],
        region_names=tuple(description["region_names"]),
        landmarks=dict(zip(names, arrays["landmarks"].tolist(), strict=True)),
        masks=masks,
    )
    for level in range(FINEST_LEVEL):
        made, counts = len(unique_edges(template.faces[level])[0]), template.counts
        if counts[level] + made != counts[level + 1]:
            raise ValueError(f"level {level + 1} is not level {level} with a vertex on each edge")
    return template
