"""
Rows that lie on the workers of a dask cluster (extra ``dask``).

:func:`fastgrok.train` takes a dask array with ``executor=client``, or what :func:`scatter` gives,
and follows the same steps, or leaps, to the same bits as with the rows here.
"""

from fastgrok.distributed._remote import ClusterError
from fastgrok.distributed.rows import Labels, Rows, Scattered, is_dask_array, scatter, scattered
from fastgrok.distributed.sources import from_npy, from_recipe

__all__ = [
    "ClusterError",
    "Labels",
    "Rows",
    "Scattered",
    "from_npy",
    "from_recipe",
    "is_dask_array",
    "scatter",
    "scattered",
]
