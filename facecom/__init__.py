"""facecom completes partial 3D scans of faces.

A mesh or a point cloud with parts missing goes in; the whole face, the missing part alone, and for each vertex
where its position comes from and how sure that is, come out. Lengths are millimetres inside.

Public names are imported when they are first used, so that `import facecom` stays light.

Examples
--------
>>> import facecom
>>> facecom.Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]).faces.shape
(1, 3)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facecom.completion import Completion as Completion
    from facecom.completion import CompletionSettings as CompletionSettings
    from facecom.completion import complete as complete
    from facecom.errors import AlignmentError as AlignmentError
    from facecom.errors import CheckpointError as CheckpointError
    from facecom.errors import FacecomError as FacecomError
    from facecom.errors import FitError as FitError
    from facecom.errors import MissingDependency as MissingDependency
    from facecom.errors import ScanError as ScanError
    from facecom.geometry.closest_points import Surface as Surface
    from facecom.geometry.mesh import Mesh as Mesh
    from facecom.geometry.transform import Similarity as Similarity
    from facecom.guidance.diffusers_pipeline import PipelineSettings as PipelineSettings
    from facecom.guidance.settings import GuidanceSettings as GuidanceSettings
    from facecom.io.conversion import as_mesh as as_mesh
    from facecom.io.files import read_scan as read_scan
    from facecom.io.files import write_mesh as write_mesh
    from facecom.model.checkpoint import load_model as load_model
    from facecom.model.protocol import FaceModel as FaceModel
    from facecom.model.template import Template as Template
    from facecom.prosthesis import DesignSettings as DesignSettings
    from facecom.prosthesis import Prosthesis as Prosthesis
    from facecom.prosthesis import design as design
    from facecom.provenance import Provenance as Provenance
    from facecom.registration import Registration as Registration
    from facecom.registration import RegistrationSettings as RegistrationSettings
    from facecom.registration import register as register

__version__ = "0.1.0"

# Module -> the public names it defines; the imports above say the same to type checkers, and a test compares the two.
_PUBLIC = {
    "facecom.completion": ("Completion", "CompletionSettings", "complete"),
    "facecom.errors": (
        "AlignmentError",
        "CheckpointError",
        "FacecomError",
        "FitError",
        "MissingDependency",
        "ScanError",
    ),
    "facecom.geometry.closest_points": ("Surface",),
    "facecom.geometry.mesh": ("Mesh",),
    "facecom.geometry.transform": ("Similarity",),
    "facecom.guidance.diffusers_pipeline": ("PipelineSettings",),
    "facecom.guidance.settings": ("GuidanceSettings",),
    "facecom.io.conversion": ("as_mesh",),
    "facecom.io.files": ("read_scan", "write_mesh"),
    "facecom.model.checkpoint": ("load_model",),
    "facecom.model.protocol": ("FaceModel",),
    "facecom.model.template": ("Template",),
    "facecom.prosthesis": ("DesignSettings", "Prosthesis", "design"),
    "facecom.provenance": ("Provenance",),
    "facecom.registration": ("Registration", "RegistrationSettings", "register"),
}
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'facecom' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(_HOME))
