"""A set of registered faces as a population: generalised Procrustes mean, and modes for a new linear model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Bools, Floats, Ints
from facecom.geometry.transform import Similarity, fit_similarity
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import SHAPE_LEVEL, Template

MIRROR = np.array([-1.0, 1.0, 1.0])
LEAST_FACES = 3
SETTLED = 1e-6
"""The mean of a set has settled when a round moves it by less than this share of a face's size."""
LEAST_SCALE = 1e-6
"""Modes smaller than this share of the largest are rounding."""
FEW_FACES = 10
"""Fewer faces than this span too few others to complete a stranger's."""


@dataclass(frozen=True, eq=False)
class Superposed:
    """Faces without their poses.

    mean : (V, 3); faces : (N, V, 3), superposed on the mean; poses : of each face as given -> superposed;
    rounds : until the mean stood still.
    """

    mean: Floats
    faces: Floats
    poses: tuple[Similarity, ...]
    rounds: int


def procrustes(
    faces: Sequence[Floats], *, weights: Floats | None = None, with_scale: bool = False, most_rounds: int = 50
) -> Superposed:
    """Superpose faces in one topology on their own mean (generalised Procrustes analysis, Gower 1975).

    Parameters
    ----------
    faces : N arrays (V, 3), in one unit
    weights : (V,), how much each vertex counts in the superposition; all the same unless given
    with_scale : whether size is taken out too; then the mean has the mean size of the faces
    most_rounds : the mean stands still after some ten

    Raises
    ------
    ValueError
        When there is no face, or they differ in shape.

    Examples
    --------
    >>> import numpy as np
    >>> corner = np.eye(3)
    >>> np.allclose(procrustes([corner, corner + 5.0]).faces, corner)
    True
    """
    if not len(faces) or len({np.shape(face) for face in faces}) != 1:
        raise ValueError(f"expected faces of one shape (V, 3), got {[np.shape(face) for face in faces][:5]}")
    given = np.asarray(faces, float)
    mean, moved = given[0], given
    size = np.mean([_size(face, weights) for face in given])
    poses: list[Similarity] = []
    done, still = 0, False
    while not still and done < most_rounds:
        poses = [fit_similarity(face, mean, weights=weights, with_scale=with_scale) for face in given]
        moved = np.stack([pose.apply(face) for pose, face in zip(poses, given, strict=True)])
        new = moved.mean(axis=0)
        if with_scale:  # else each round would shrink it
            centre = np.average(new, axis=0, weights=weights)
            new = centre + (new - centre) * size / _size(new, weights)
        still = np.abs(new - mean).max() < SETTLED * size
        mean, done = new, done + 1
    return Superposed(mean, moved, tuple(poses), done)


def _size(face: Floats, weights: Floats | None) -> float:
    """Root mean square distance from the centre."""
    centre = np.average(face, axis=0, weights=weights)
    return float(np.sqrt(np.average(np.sum((face - centre) ** 2, axis=1), weights=weights)))


def default_base_share(faces: int) -> float:
    """Share of the base model's variance that a model of so many faces keeps where nobody says otherwise.

    Nearly all with few faces, none from `FEW_FACES` on.

    Examples
    --------
    >>> default_base_share(3), default_base_share(20)
    (0.7, 0.0)
    """
    return max(0.0, 1.0 - faces / FEW_FACES)


def linear_model(
    faces: Sequence[Floats],
    base: LinearGenerator,
    *,
    rank: int | None = None,
    base_share: float = 0.0,
    with_scale: bool = False,
) -> LinearGenerator:
    """Principal components of registered faces, as a model that `complete(model=...)` takes.

    A face and its mirror image are taken to be as likely as one another, so N faces give up to 2 N - 1 modes, each
    exactly left-right even or odd. The discrepancy, what real faces show beside the modes, is that of `base`.

    Parameters
    ----------
    faces : N arrays (V, 3), mm, in the topology and about the face frame of `base`, as `Registration.in_face_frame`
    base : model with which they were registered
    rank : most modes that are kept; all unless given
    base_share : share of the variance of `base` that is added: few faces span few others, and some of the old model
        makes up for it; 0 gives the components of the set alone
    with_scale : whether the size of the faces is taken out before

    Returns
    -------
    LinearGenerator

    Raises
    ------
    ValueError
        With fewer than three faces, another topology, or a share that is negative.
    """
    _check(faces, base, base_share)
    mean, apart = _about_mean(faces, base.template, with_scale=with_scale)
    count = base.template.counts[SHAPE_LEVEL]
    modes, odd = _components(apart[:, :count], base.template.mirror[:count])
    modes, odd = modes[:rank], odd[:rank]
    description = {**base.description, "faces": len(faces), "modes": len(odd), "base_share": base_share}
    if base_share:
        modes = np.concatenate([modes, np.sqrt(base_share) * base.modes])
        odd = np.concatenate([odd, base.mode_odd])
    return LinearGenerator(
        template=replace(base.template, vertices=mean),
        modes=modes,
        mode_odd=odd,
        fields=base.fields,
        field_odd=base.field_odd,
        description=description,
    )


def _check(faces: Sequence[Floats], base: LinearGenerator, base_share: float) -> None:
    wanted = base.template.vertices.shape
    if len(faces) < LEAST_FACES:
        raise ValueError(f"a model needs at least {LEAST_FACES} registered faces, got {len(faces)}")
    for k, face in enumerate(faces):
        if np.shape(face) != wanted:
            raise ValueError(f"face {k} has shape {np.shape(face)}, the topology of the model has {wanted}")
    if base_share < 0:
        raise ValueError(f"base_share must not be negative, got {base_share}")


def _about_mean(faces: Sequence[Floats], template: Template, *, with_scale: bool) -> tuple[Floats, Floats]:
    """Symmetric mean (V, 3), its nose tip where the template's is, and the faces less the mean (N, V, 3)."""
    weights = vertex_areas(template.vertices, template.faces[-1])
    both = [np.asarray(face, float) for face in faces]
    both += [mirrored_faces(face, template.mirror) for face in both]
    superposed = procrustes(both, weights=weights, with_scale=with_scale)
    frame = fit_similarity(superposed.mean, template.vertices, weights=weights)
    tip = template.landmark_index("nose_tip")
    mean = frame.apply(superposed.mean)
    shift = template.vertices[tip] - mean[tip]
    mean = mean + shift
    apart = frame.apply(superposed.faces[: len(faces)]) + shift - mean
    return 0.5 * (mean + mirrored_faces(mean, template.mirror)), apart


def mirrored_faces(vertices: Floats, mirror: Ints) -> Floats:
    """Vertices (..., V, 3) of the mirror image, in the same topology."""
    return vertices[..., mirror, :] * MIRROR


def _components(apart: Floats, mirror: Ints) -> tuple[Floats, Bools]:
    """Modes (M, V, 3) of displacements (N, V, 3) and of their mirror images, leading first, and which are odd."""
    reflected = mirrored_faces(apart, mirror)
    found, parity = [], []
    for odd, part in ((False, 0.5 * (apart + reflected)), (True, 0.5 * (apart - reflected))):
        _, values, rows = linalg.svd(part.reshape(len(part), -1), full_matrices=False)
        scale = values / np.sqrt(len(apart) - 1)
        kept = scale > LEAST_SCALE * max(scale[0], 1e-12)
        found.append(scale[kept, None] * rows[kept])
        parity.append(np.full(int(kept.sum()), odd))
    modes, is_odd = np.concatenate(found), np.concatenate(parity)
    order = np.argsort(-np.sum(modes**2, axis=1), kind="stable")
    return modes[order].reshape(len(modes), -1, 3), is_odd[order]
