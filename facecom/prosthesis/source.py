"""What a part is made from: the completed surface in the face frame, the defect in it, and the wound's own surface."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from facecom.completion import MADE, Completion, complete
from facecom.errors import ScanError
from facecom.evaluation.defects import DEFECTS, removed
from facecom.evaluation.defects import Defect as Shape
from facecom.geometry.geodesic import geodesic_distance
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, boundary_edges
from facecom.geometry.nearest import Surface
from facecom.geometry.transform import fit_similarity
from facecom.model.template import Template
from facecom.prosthesis.sheet import Defect, find_defects
from facecom.prosthesis.shell import smooth_step

MEASURED, MIRRORED, MADE_UP = 0, 1, 2
PROVENANCE_NAMES = ("measured", "mirrored", "made")


@dataclass(frozen=True, eq=False)
class Source:
    """A completed surface, mm, face frame.

    completion : what it comes from
    merged : Mesh, the scan and what was made
    made : (F,) bool, faces that were made
    provenance : (V,) int, see `PROVENANCE_NAMES`
    sigma_mm : (V,) float
    face : (T, 3) float, the whole face in the template's topology
    weights : (V, T) sparse, each made vertex as a mean of vertices of the face; measured ones have none
    bed : Mesh or None, scan surface that the part replaces
    """

    completion: Completion
    merged: Mesh
    made: Bools
    provenance: Ints
    sigma_mm: Floats
    face: Floats
    weights: sp.csr_matrix
    bed: Mesh | None = None

    @property
    def template(self) -> Template:
        """The face template."""
        return self.completion.evidence.model.template

    def sha256(self) -> str:
        """Hash of the surface and of what was made of it."""
        digest = hashlib.sha256()
        for array in (self.merged.vertices, self.merged.faces, self.made, self.provenance, self.sigma_mm):
            digest.update(np.ascontiguousarray(array).tobytes())
        if self.bed is not None:
            digest.update(self.bed.vertices.tobytes())
        return digest.hexdigest()

    @classmethod
    def of(cls, completion: Completion, *, bed: Mesh | None = None) -> Source:
        """The surface of a completion; `bed` in the face frame."""
        evidence = completion.evidence
        merged = evidence.joined.merged
        made = np.arange(len(merged.faces)) >= len(evidence.scan.mesh.faces)
        provenance = np.where(completion.merged_provenance == MADE, MADE_UP, MEASURED)
        own = evidence.joined.weights
        weights = sp.vstack([sp.csr_matrix((len(merged.vertices) - own.shape[0], own.shape[1])), own]).tocsr()
        face = evidence.projected.vertices
        return cls(completion, merged, made, provenance, completion.merged_sigma_mm, face, weights, bed)

    @classmethod
    def of_face(cls, completion: Completion, mask: Bools, *, keep_mm: float = 9.0) -> Source:
        """The completed face in the template's topology, (T,) `mask` of which counts as made.

        For parts that scans show poorly and that stand off the head, such as ears: no hole has to be cut.
        """
        evidence = completion.evidence
        template, face = evidence.model.template, evidence.projected.vertices
        # The template ends behind the ears; what lies near its border stays skin, so that a margin finds room.
        whole = Mesh(face, template.faces[3])
        border = geodesic_distance(whole, boundary_edges(whole.faces).ravel(), reach_mm=keep_mm)
        mask = mask & np.isinf(border)
        provenance = np.where((completion.provenance == MADE) | mask, MADE_UP, MEASURED)
        made = np.asarray(mask[template.faces[3]].all(1))
        weights = sp.identity(len(face), format="csr")
        return cls(completion, whole, made, provenance, completion.sigma_mm, face, weights)


def region_mask(template: Template, name: str) -> Bools:
    """Template vertices of a region: one of the template's own, or one of the shapes that defects are cut with.

    Shapes that are cut on one side are mirrored with the prefix "left_" or "right_".

    Raises
    ------
    ValueError
        When the name is unknown; the message lists the names.

    Examples
    --------
    >>> template = Template.load()
    >>> bool((region_mask(template, "left_orbit")[template.mirror] == region_mask(template, "right_orbit")).all())
    True
    """
    if name in template.region_names or name in template.masks:
        return template.region_mask(name)
    side, _, shape = name.rpartition("_") if name.startswith(("left_", "right_")) else ("", "", name)
    if name.startswith(("left_", "right_")):
        side, shape = name.split("_", 1)
    if shape not in get_args(Shape) and shape not in DEFECTS:
        known = ", ".join((*template.region_names, *(d for d in DEFECTS)))
        raise ValueError(f"there is no region {name!r}; there are {known}; shapes take left_ or right_ before them")
    mask = removed(template.vertices, shape, seed=0)  # type: ignore[arg-type]
    left = bool(template.vertices[mask, 0].mean() > 0)
    return mask[template.mirror] if (side == "right" and left) or (side == "left" and not left) else mask


def without_region(completion: Completion, name: str) -> Source:
    """Take a region out of the scan and complete it anew; what was taken out is the wound bed.

    Raises
    ------
    ValueError
        When the name is unknown.
    ScanError
        When nothing of the scan is left.
    """
    evidence = completion.evidence
    mask = region_mask(evidence.model.template, name)
    in_face = evidence.fit.pose.apply(evidence.scan.mm.mesh.vertices)
    found = Surface(Mesh(evidence.projected.vertices, evidence.model.template.faces[3])).closest(in_face)
    corners = evidence.model.template.faces[3][found.faces]
    under = (np.einsum("vk,vk->v", found.barycentric, mask[corners].astype(float)) > 0.5) & (found.distance < 40.0)
    taken = under[evidence.scan.mesh.faces].any(1)
    if taken.all():
        raise ScanError(f"the scan shows nothing but the region {name!r}; scan more of the face around it")
    rest, _ = evidence.scan.mesh.submesh(~taken)
    again = complete(rest, unit=evidence.scan.unit, model=evidence.model, settings=evidence.settings)  # type: ignore[arg-type]
    if not taken.any():
        return Source.of(again)
    bed, _ = evidence.scan.mm.mesh.submesh(taken)
    return Source.of(again, bed=bed.with_vertices(again.evidence.fit.pose.apply(bed.vertices)))


def mirrored(
    source: Source, mask: Bools, *, least_seen: float = 0.6, ring_mm: float = 25.0, taper_mm: float = 8.0
) -> Source:
    """The same surface with a region copied from the other side of the face, where that was seen.

    The reflected side is laid on by the skin around the region that was seen on both sides, and taken over gradually
    from the region's border inwards.

    Parameters
    ----------
    mask : (T,) bool, template vertices of the region
    least_seen : share of the other side that must have been measured; with less the fitted shape stays
    ring_mm : how far around the region skin is used to lay the other side on
    taper_mm : width of the transition
    """
    template, partner = source.template, source.template.mirror
    measured = source.completion.provenance == MEASURED
    if measured[partner][mask].mean() < least_seen:
        return source
    outside = cKDTree(template.vertices[~mask]).query(template.vertices)[0]
    near = cKDTree(template.vertices[mask]).query(template.vertices)[0] < ring_mm
    ring = near & ~mask & measured & measured[partner]
    if ring.sum() < 50:
        return source
    reflected = source.face[partner] * [-1.0, 1.0, 1.0]
    laid = fit_similarity(reflected[ring], source.face[ring]).apply(reflected)
    share = smooth_step(outside / taper_mm) * (mask & measured[partner])
    shift = share[:, None] * (laid - source.face)
    merged = source.merged.with_vertices(source.merged.vertices + source.weights @ shift)
    provenance = np.where(source.weights @ share > 0.5, MIRRORED, source.provenance)
    return replace(source, merged=merged, provenance=provenance, face=source.face + shift)


def pick_defect(source: Source, *, region: str | None, part: int, margin_mm: float, least_mm2: float) -> Defect:
    """The defect that a part is made for: that of the region, or the part-th largest.

    Raises
    ------
    ValueError, ScanError
        When there is none such.
    """
    defects = find_defects(source.merged, source.made, margin_mm=margin_mm, least_mm2=least_mm2)
    if region is not None:
        tree = cKDTree(source.face[region_mask(source.template, region)])
        share = [
            (tree.query(source.merged.vertices[np.unique(source.merged.faces[d.faces])])[0] < 8.0).mean()
            for d in defects
        ]
        if max(share) < 0.5:
            raise ScanError(f"nothing closed was made where {region!r} was; is there skin all around it in the scan?")
        return defects[int(np.argmax(share))]
    if not 0 <= part < len(defects):
        raise ValueError(f"there is no part {part}; the scan lacks {len(defects)}, counted from 0")
    return defects[part]
