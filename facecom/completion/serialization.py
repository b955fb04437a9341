"""What a completion rests on as files, so that it can be sampled, refitted and made into a part another day."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from facecom.completion.alignment import flip_orientation, scan_of
from facecom.completion.defect_probability import DefectProbability, DoubtfulPlace
from facecom.completion.stages import enter_face_frame, stitch
from facecom.completion.state import CompletionState, known
from facecom.completion.types import CompletionSettings, Coverage, Report, Scan
from facecom.errors import CheckpointError
from facecom.fitting.fit import Fit
from facecom.fitting.pose_hypotheses import PoseHypothesis
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity
from facecom.model.linear.generator import LinearGenerator
from facecom.model.protocol import FaceModel
from facecom.model.storage import StorageFormat, checkpoint_errors, read_stored, write_stored
from facecom.projection.project import Projection
from facecom.scan.cleaning import CleanReport
from facecom.skin.detail import Detail
from facecom.skin.noise_bands import BandReport

FORMAT = StorageFormat("facecom completion", 3, arrays="state.safetensors", description="state.json")
MESH_PARTS = ("vertices", "faces", "uv", "colors", "normals")


def save_state(state: CompletionState, directory: str | os.PathLike[str]) -> None:
    """Write state.safetensors and state.json, from which `load_state` makes the state again."""
    scan, fitted, projected = known(state.scan, "clean"), known(state.fit, "fit"), known(state.projection, "project")
    arrays = {
        **_mesh_arrays("scan", scan.mesh),
        **_mesh_arrays("defect", scan.defect),
        "doubted": scan.doubted,
        "code": fitted.code,
        "rotation": fitted.pose.rotation,
        "translation": fitted.pose.translation,
        "fit_vertices": fitted.vertices,
        "precision": fitted.precision,
        "matched": fitted.matched,
        "vertices": projected.vertices,
        "observed": projected.observed,
        "offset": projected.offset,
        "sigma_mm": known(state.sigma_mm, "uncertainty"),
        **({} if state.detail is None else _detail_arrays(state.detail)),
        **_probability_arrays(state.defect_probability),
    }
    text = {
        "unit": scan.unit,
        "mm_per_unit": scan.mm_per_unit,
        "mm_per_unit_sigma": scan.mm_per_unit_sigma,
        "inside_out": scan.inside_out,
        "removed": asdict(scan.removed),
        "fit": {"level": fitted.level, "terms": dict(fitted.terms), "converged": fitted.converged},
        "coverage": asdict(known(state.coverage, "measure coverage")),
        "report": asdict(known(state.report, "report")),
        "settings": _plain(state.settings),
        "detail": None if state.detail is None else _detail_text(state.detail),
        "detail_choice": state.detail_choice,
        "seed": state.seed,
    }
    write_stored(Path(directory), arrays, text, kind=FORMAT)


def load_state(directory: str | os.PathLike[str], *, model: FaceModel | None = None) -> CompletionState:
    """The state that `save_state` wrote; parameters and errors as of `Completion.load`."""
    folder = Path(directory)
    if not (folder / FORMAT.description).is_file():
        raise CheckpointError(
            f"{folder} holds no {FORMAT.description}; load takes a folder that Completion.save(..., keep=True) wrote"
        )
    arrays, text = read_stored(folder, kind=FORMAT)
    model = model or LinearGenerator.load()
    with checkpoint_errors(folder, kind=FORMAT):
        if text["report"]["model"] != _plain(model.description) or len(arrays["code"]) != model.code_size:
            made_with = text["report"]["model"].get("name", "another one")
            raise CheckpointError(
                f"{folder}: was made with the model {made_with!r}; pass it as model=load_model(FOLDER)"
            )
        settings = from_plain(CompletionSettings, text["settings"])
        fitted = Fit(
            code=arrays["code"],
            pose=Similarity(arrays["rotation"], arrays["translation"]),
            vertices=arrays["fit_vertices"],
            precision=arrays["precision"],
            matched=arrays["matched"],
            **text["fit"],
        )
        lists = {name: tuple(text["report"].get(name, ())) for name in ("warnings", "doubtful_places")}
        report = Report(**{**text["report"], **lists})
        state = CompletionState(
            settings=settings,
            detail_choice=text["detail_choice"],
            seed=text["seed"],
            model=model,
            scan=_scan(arrays, text, settings),
            hypothesis=PoseHypothesis(
                fitted.pose, fitted.code, score=report.score, rms_mm=report.fit_rms_mm, prior=0.0
            ),
            fit=fitted,
            defect_probability=_probability(arrays, report.doubtful_places),
            projection=Projection(arrays["vertices"], arrays["observed"], arrays["offset"]),
            coverage=Coverage(**text["coverage"]),
            sigma_mm=arrays["sigma_mm"],
            detail=None if text["detail"] is None else _detail(arrays, text["detail"]),
            report=report,
            seconds=report.seconds,
        )
        return stitch(enter_face_frame(state))


def _scan(arrays: Mapping[str, np.ndarray], text: Mapping[str, Any], settings: CompletionSettings) -> Scan:
    removed = CleanReport(**text["removed"])
    made = scan_of(
        _mesh("scan", arrays),
        text["unit"],
        text["mm_per_unit"],
        removed=removed,
        settings=settings,
        doubted=arrays["doubted"],
        defect=_mesh("defect", arrays),
    )
    made = replace(made, mm_per_unit_sigma=text.get("mm_per_unit_sigma"))
    return flip_orientation(made, settings) if text["inside_out"] else made


def _probability_arrays(found: DefectProbability | None) -> dict[str, np.ndarray]:
    return {} if found is None else {"defect_probability": found.triangles, "doubtful": found.doubtful}


def _probability(arrays: Mapping[str, np.ndarray], places: Iterable[Mapping[str, Any]]) -> DefectProbability | None:
    if "defect_probability" not in arrays:
        return None
    told = tuple(DoubtfulPlace(**{**place, "center": tuple(place["center"])}) for place in places)
    return DefectProbability(arrays["defect_probability"], arrays["doubtful"], told)


def _mesh_arrays(name: str, mesh: Mesh) -> dict[str, np.ndarray]:
    parts = {f"{name}_{part}": getattr(mesh, part) for part in MESH_PARTS}
    return {key: value for key, value in parts.items() if value is not None}


def _mesh(name: str, arrays: Mapping[str, np.ndarray]) -> Mesh:
    vertices, faces, *others = (arrays.get(f"{name}_{part}") for part in MESH_PARTS)
    if vertices is None or faces is None:
        raise CheckpointError(f"the stored mesh {name!r} lacks its vertices or triangles; save the completion again")
    return Mesh(vertices, faces, *others)


def _detail_arrays(detail: Detail) -> dict[str, np.ndarray]:
    given = {f"detail_{f.name}": getattr(detail, f.name) for f in fields(detail)}
    given |= {f"detail_bands_{name}": value for name, value in vars(detail.bands).items()}
    named = {name: value for name, value in given.items() if isinstance(value, np.ndarray)}
    return named | _mesh_arrays("detail_mesh", detail.mesh) | _mesh_arrays("detail_smooth", detail.smooth)


def _detail_text(detail: Detail) -> dict[str, Any]:
    bands = {name: float(value) for name, value in vars(detail.bands).items() if not isinstance(value, np.ndarray)}
    return {"warnings": list(detail.warnings), "generic": detail.synthetic, "bands": bands}


def _detail(arrays: Mapping[str, np.ndarray], text: Mapping[str, Any]) -> Detail:
    def given(kind: Any, prefix: str) -> dict[str, Any]:
        return {f.name: arrays[prefix + f.name] for f in fields(kind) if prefix + f.name in arrays}

    return Detail(
        **given(Detail, "detail_"),
        mesh=_mesh("detail_mesh", arrays),
        smooth=_mesh("detail_smooth", arrays),
        bands=BandReport(**given(BandReport, "detail_bands_"), **text["bands"]),
        warnings=tuple(text["warnings"]),
        synthetic=text["generic"],
    )


def _plain(value: Any) -> Any:
    """As it reads after a journey through JSON."""
    return json.loads(json.dumps(_stored(value)))


def _stored(value: Any) -> Any:
    """Dataclasses as dicts, but for fields whose metadata says that they are not stored (code of the caller's own)."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _stored(getattr(value, f.name)) for f in fields(value) if f.metadata.get("stored", True)}
    if isinstance(value, tuple | list):
        return [_stored(entry) for entry in value]
    return value


def from_plain(kind: Any, value: Any) -> Any:
    """A value of a type, most often a dataclass of dataclasses and tuples, from what JSON made of it.

    Examples
    --------
    >>> from_plain(tuple[int, ...], [1, 2])
    (1, 2)
    >>> from_plain(CompletionSettings, _plain(CompletionSettings())) == CompletionSettings()
    True
    """
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{name: from_plain(hints.get(name, Any), given) for name, given in value.items()})
    if get_origin(kind) in (Union, UnionType):
        kinds = [k for k in get_args(kind) if k is not type(None)]
        return None if value is None else from_plain(kinds[0], value)
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        each = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
        return tuple(from_plain(k, v) for k, v in zip(each, value, strict=True))
    return float(value) if kind is float else value
