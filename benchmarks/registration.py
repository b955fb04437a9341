"""Dense correspondence against a known truth, ours beside other people's: prints one table.

    python benchmarks/registration.py DATA [--scans 20] [--methods ours ...] [--json FILE]

DATA is a folder of faces in one topology (the SIMPOP faces of MeshMonk, Apache-2.0): vertex i of each is the same spot.
Each face is registered on its own, without being told the topology. Then every vertex of one scan is carried to every
other: onto the first registered face, by its triangle onto the second, and from there onto the second scan; the error is
the distance to where it truly is. `surface` is the distance of the scan's vertices to the registered face. Seconds are of
the processor, for one scan, after the model is loaded; methods other than ours are given the pose that ours found.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facecom.completion import CompletionSettings, Scan, fit_face, find_face, prepare_scan
from facecom.errors import need
from facecom.evaluation.baselines import nricp
from facecom.geometry.mesh import Floats, Ints, Mesh, vertex_normals
from facecom.geometry.nearest import Surface
from facecom.geometry.transform import Similarity
from facecom.model.linear import LinearGenerator
from facecom.registration import register
from facecom.registration.correspondence import without_relaxing
from facecom.scan.files import read_scan

PEER_LEVEL = 1
"""Level of the template that nricp moves: on finer ones it takes minutes for a scan."""
MESHMONK_LEVEL = 2


@dataclass(frozen=True, eq=False)
class Posed:
    """A prepared scan and what the linear fit found: `fitted` and `mean` are faces in the scan's frame, mm."""

    scan: Scan
    pose: Similarity
    code: Floats


Method = Callable[[Mesh, Posed, LinearGenerator], tuple[Floats, int]]
"""(V, 3) registered vertices in the scan's frame, mm, and their level."""


def posed(scan: Mesh, model: LinearGenerator) -> Posed:
    settings = CompletionSettings()
    prepared = prepare_scan(scan, unit="mm", settings=settings)
    start, prepared = find_face(prepared, model, {}, settings)
    fitted = fit_face(prepared, model, start, {}, settings)
    return Posed(prepared, fitted.pose, fitted.code)


def ours(scan: Mesh, _: Posed, model: LinearGenerator) -> tuple[Floats, int]:
    return register([scan], unit="mm", model=model)[0].vertices, 3


def not_slid(scan: Mesh, _: Posed, model: LinearGenerator) -> tuple[Floats, int]:
    return register([scan], unit="mm", model=model, settings=without_relaxing())[0].vertices, 3


def linear_fit(scan: Mesh, _: Posed, model: LinearGenerator) -> tuple[Floats, int]:
    """The model alone: no vertex leaves its span."""
    found = posed(scan, model)
    return found.pose.inverse().apply(model.decode(found.code, level=3)), 3


def _face_at(found: Posed, model: LinearGenerator, level: int) -> Mesh:
    vertices = model.decode(found.code, level=level)
    return Mesh(found.pose.inverse().apply(vertices), model.template.faces[level])


def _mean_at(found: Posed, model: LinearGenerator, level: int) -> Mesh:
    mean = model.mean(level)
    return mean.with_vertices(found.pose.inverse().apply(mean.vertices))


def nricp_as_it_comes(_: Mesh, found: Posed, model: LinearGenerator) -> tuple[Floats, int]:
    face = _mean_at(found, model, PEER_LEVEL)
    return nricp(found.scan.mm.mesh, face).vertices, PEER_LEVEL


def nricp_gated(_: Mesh, found: Posed, model: LinearGenerator) -> tuple[Floats, int]:
    """From the linear fit, which lies within the gate; from the mean little would."""
    face = _face_at(found, model, PEER_LEVEL)
    return nricp(found.scan.mm.mesh, face, gate_mm=1.0).vertices, PEER_LEVEL


def meshmonk(_: Mesh, found: Posed, model: LinearGenerator) -> tuple[Floats, int]:
    """MeshMonk's rigid and then pyramid registration of the mean face, with its defaults."""
    monk = need("meshmonk")
    face = _mean_at(found, model, MESHMONK_LEVEL)
    target = found.scan.mm.mesh
    result = monk.pyramid_register(
        floating_features=_features(face),
        target_features=_features(target),
        floating_faces=face.faces.astype(np.int32),
        target_faces=target.faces.astype(np.int32),
        rigid_params={},
    )
    return np.asarray(result.aligned_features[:, :3], float), MESHMONK_LEVEL


def _features(mesh: Mesh) -> np.ndarray:
    return np.concatenate([mesh.vertices, vertex_normals(mesh.vertices, mesh.faces)], axis=1).astype(np.float32)


METHODS: dict[str, Method] = {
    "ours": ours,
    "ours, not slid": not_slid,
    "linear fit": linear_fit,
    "meshmonk": meshmonk,
    "nricp, 1 mm gate": nricp_gated,
    "nricp": nricp_as_it_comes,
}
TOLD_THE_POSE = ("meshmonk", "nricp, 1 mm gate", "nricp")


def carried_errors(scans: Sequence[Mesh], registered: Sequence[Floats], faces: Ints) -> tuple[Floats, float]:
    """Errors (P, V) in mm of every vertex for every ordered pair of scans, and the mean distance to the surface."""
    on_own = [Surface(Mesh(v, faces)).closest(s.vertices) for s, v in zip(scans, registered, strict=True)]
    surfaces = [Surface(scan) for scan in scans]
    errors = []
    for a, b in itertools.permutations(range(len(scans)), 2):
        corners = registered[b][faces[on_own[a].faces]]
        there = np.einsum("nk,nkd->nd", on_own[a].barycentric, corners)
        errors.append(np.linalg.norm(surfaces[b].closest(there).points - scans[b].vertices, axis=1))
    return np.array(errors), float(np.mean([found.distance.mean() for found in on_own]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with SIMPOP_01.obj, ...")
    parser.add_argument("--scans", type=int, default=20, help="how many of them")
    parser.add_argument("--methods", nargs="+", choices=tuple(METHODS), default=tuple(METHODS))
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    files = sorted(options.data.glob("*.obj"))[: options.scans]
    scans = [read_scan(file) for file in files]
    model = LinearGenerator.load()
    given = [posed(s, model) if set(options.methods) & set(TOLD_THE_POSE) else None for s in scans]
    print(f"{len(scans)} faces, {len(scans[0].vertices)} vertices each, {len(scans) * (len(scans) - 1)} pairs")
    print(f"{'method':18s} carried, mm: mean  median     95 %   surface, mm   seconds")
    rows = {}
    for name in options.methods:
        start, registered, level = time.process_time(), [], 0
        for scan, found in zip(scans, given, strict=True):
            vertices, level = METHODS[name](scan, found, model)  # type: ignore[arg-type]
            registered.append(vertices)
        seconds = (time.process_time() - start) / len(scans)
        errors, surface = carried_errors(scans, registered, model.template.faces[level])
        row = [float(x) for x in (errors.mean(), np.median(errors), np.quantile(errors, 0.95), surface, seconds)]
        rows[name] = dict(zip(("mean_mm", "median_mm", "p95_mm", "surface_mm", "seconds"), row, strict=True))
        print(f"{name:18s} {row[0]:17.3f} {row[1]:7.3f} {row[2]:8.3f} {row[3]:13.3f} {row[4]:9.1f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps({"scans": len(scans), "methods": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
