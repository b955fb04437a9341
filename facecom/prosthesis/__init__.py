"""From a completed face to a part that a laboratory can make: a design aid, not a medical device.

Examples
--------
>>> from facecom.prosthesis import DesignSettings
>>> DesignSettings(wall_mm=2.5).edge_mm < 2.5
True
"""

from facecom.prosthesis.design import alternatives as alternatives
from facecom.prosthesis.design import design as design
from facecom.prosthesis.design import design_all as design_all
from facecom.prosthesis.part import Prosthesis as Prosthesis
from facecom.prosthesis.part import save_comparison as save_comparison
from facecom.prosthesis.settings import DesignSettings as DesignSettings

__all__ = ["DesignSettings", "Prosthesis", "alternatives", "design", "design_all", "save_comparison"]
