"""Objectives by name: one small file each, all with the signature in `base`."""

from training.objectives.gan import Gan

OBJECTIVES = {"gan": Gan}
