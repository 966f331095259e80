"""
Rows that lie on the workers of a dask cluster (extra ``dask``).

:func:`fastgrok.train` takes a dask array with ``executor=client``, or what :func:`scatter` gives,
and follows the same steps, or leaps, to the same bits as with the rows here. Labels and evaluation
sets may be of either kind. The workers make the rows of dask arrays from the graph and keep them. A
pass sends the parameters to the workers and adds what comes back in the order of the rows, so that
the bits do not depend on the number of workers. A worker that is lost is replaced by another, which
makes its rows again; the run goes on to the same bits. ``threads`` is that of what is done here.

A ``checkpoint`` is gone on from on any cluster, or with the rows here.

Rows there are dense and count once each. They are not to be had with ``lr="auto"`` and
``sample_weight``, nor are they attacked. A leap over rows of up to
16 columns, of a cycle, or whose rounding errors begin to matter copies all rows here, if they are
no more than 2^27 entries; of more it is not tried.
"""

from fastgrok.distributed.clients import ClusterError, ClusterWarning
from fastgrok.distributed.rows import Labels, Rows, Scattered, scatter
from fastgrok.distributed.sources import from_npy, from_recipe

__all__ = [
    "ClusterError",
    "ClusterWarning",
    "Labels",
    "Rows",
    "Scattered",
    "from_npy",
    "from_recipe",
    "scatter",
]
