"""From a completed face to a part that a laboratory can make: a design aid, not a medical device.

Examples
--------
>>> from facecom.prosthesis import DesignSettings
>>> DesignSettings(wall_mm=2.5).edge_mm < 2.5
True
"""

from facecom.prosthesis.checks.part_check import PartCheck as PartCheck
from facecom.prosthesis.checks.part_check import check_part as check_part
from facecom.prosthesis.checks.tissue import TissueOverlap as TissueOverlap
from facecom.prosthesis.checks.tissue import check_tissue as check_tissue
from facecom.prosthesis.design import alternatives as alternatives
from facecom.prosthesis.design import design as design
from facecom.prosthesis.design import design_all as design_all
from facecom.prosthesis.part import Prosthesis as Prosthesis
from facecom.prosthesis.part import save_comparison as save_comparison
from facecom.prosthesis.settings import CheckBounds as CheckBounds
from facecom.prosthesis.settings import DesignSettings as DesignSettings
from facecom.prosthesis.shell.trimming import Cut as Cut

__all__ = [
    "CheckBounds",
    "Cut",
    "DesignSettings",
    "PartCheck",
    "Prosthesis",
    "TissueOverlap",
    "alternatives",
    "check_part",
    "check_tissue",
    "design",
    "design_all",
    "save_comparison",
]
