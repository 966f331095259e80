"""Functions over grids of arguments: on threads, on any executor, on a cluster, with a store."""

from fastgrok.sweeps._experiments import EXPERIMENTS, Experiment
from fastgrok.sweeps._sweep import sweep

__all__ = ["EXPERIMENTS", "Experiment", "sweep"]
