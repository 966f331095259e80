"""Pictures of sweeps: phase diagrams, and curves with bands over draws."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastgrok import _checks
from fastgrok._checks.calls import helpful
from fastgrok.plots._axes import given_or_new, in_digits
from fastgrok.plots._draws import Known, dimension, failures, median, variable
from fastgrok.plots.palette import MAP, PALETTE
from fastgrok.plots.style import styled_if_new

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

# From this ratio of the largest to the smallest on, values are shown on a logarithmic scale.
_DECADES = 100.0
# Up to so many values of a logarithmic axis are its ticks.
_MOST_TICKS = 8
_NEVER = "0.25"
_HATCHES = {"undecided": ("0.92", "////"), "failed": ("1.0", "xxxx")}


@helpful
@styled_if_new
def phase_diagram(
    dataset: xr.Dataset,
    value: str | None = None,
    *,
    x: str | None = None,
    y: str | None = None,
    limits: tuple[float, float] | None = None,
    contours: bool | Sequence[float] = True,
    ax: Axes | None = None,
) -> Axes:
    """
    Draw a variable of a sweep over two of its dimensions.

    Over all others (such as draws of the data) the median is taken, of an even number the larger
    of the two in the middle. Cells in which it is infinite are dark: it never happens. Undecided
    ones, which are NaN and did not fail, and those where all failed are hatched.

    Parameters
    ----------
    dataset : xarray.Dataset
        What `sweep` returned.
    value : str, optional
        The variable. Default: what the experiment is about, or the only one.
    x, y : str, optional
        Dimensions for the axes. Default: the first two that have more than one value.
    limits : (float, float), optional
        Values at which the scale of colours begins and ends. Default: the smallest and the largest.
    contours : bool or sequence of float, default True
        Draw lines of equal value: at decades, at round values, or at those given.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If there is no such variable or dimension, there are not two dimensions, or `limits` are no
        two numbers in order, greater than 0 where the scale is logarithmic.
    TypeError
        If `dataset`, `limits`, `contours` or `ax` is something else.

    Notes
    -----
    A cell reaches half way to its neighbours, and those at the ends no farther than their values. A
    time that was not reached by the horizon is unknown, but later than those that were: a median
    is drawn as decided if enough draws are. The colours are cividis, which readers who are
    colour-blind see like others.

    Examples
    --------
    >>> import fastgrok as fg
    >>> found = fg.sweep(
    ...     "two_point", {"lam": [0.3, 0.4, 0.45], "sigma": [2.0, 4.0]}, progress=False
    ... )
    >>> phase_diagram(found, x="sigma", y="lam").get_xlabel()
    'scale of the points, sigma'
    """
    array = variable(dataset, value)
    across, up = _two(array, x, y)
    dataset, array = _in_order((across, up), dataset, array)
    known = median(dataset, array, (up, across))
    finite = np.ma.masked_invalid(known.values)
    log = _spans_decades(finite.compressed())
    ends = None if limits is None else _limits(limits, log)
    levels = _levels(contours)
    ax = given_or_new(ax)
    from matplotlib.colors import LogNorm, Normalize  # noqa: PLC0415

    edges = [_axis(ax, dim, array) for dim in (across, up)]
    if finite.count():
        shown = finite[finite > 0.0] if log else finite
        ends = (shown.min(), shown.max()) if ends is None else ends
        norm = (LogNorm if log else Normalize)(*ends, clip=True)
        mesh = ax.pcolormesh(*edges, finite, cmap=MAP, norm=norm, rasterized=True)
        bar = ax.figure.colorbar(mesh, ax=ax)
        bar.set_label(_label(array))
        _contours(ax, array, (across, up), finite, levels, log)
    _marks(ax, edges, known)
    return ax


@helpful
@styled_if_new
def band(
    dataset: xr.Dataset,
    value: str | None = None,
    *,
    x: str | None = None,
    over: str = "seed",
    share: float = 1.0,
    ax: Axes | None = None,
) -> Axes:
    """
    Draw a variable of a sweep as curves: medians over draws, with bands.

    Parameters
    ----------
    dataset : xarray.Dataset
        What `sweep` returned.
    value : str, optional
        The variable. Default: what the experiment is about, or the only one.
    x : str, optional
        Dimension of the horizontal axis. Default: the last one but `over`, such as the step.
    over : str, default "seed"
        Dimension of the draws.
    share : float, default 1.0
        Share of the draws that a band holds, the middle ones, in (0, 1]; 1 is from the smallest to
        the largest.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on: a curve for each combination of the other dimensions.

    Raises
    ------
    ValueError
        If there is no such variable or dimension, or `share` lies outside (0, 1].
    TypeError
        If `dataset` or `ax` is something else.

    Notes
    -----
    Draws that failed are left out. A curve ends where one of the others is unknown: what is left of
    them would be a choice of those that are known.
    """
    array = variable(dataset, value)
    over = dimension("over", over, array, "the dimension of the draws that a band is made of")
    dims = [str(dim) for dim in array.dims if dim != over]
    if not dims:
        raise ValueError(f"{array.name!r} must have a dimension besides {over!r} to draw it over")
    along = dims[-1] if x is None else dimension("x", x, array)
    if along == over:
        raise ValueError(f"x and over must be different dimensions, got {over!r} twice")
    share = _checks.real("share", share, positive=True)
    if share > 1.0:
        raise ValueError(f"share must be at most 1, got {share!r}")
    others = [dim for dim in dims if dim != along]
    dataset, array = _in_order((along,), dataset, array)
    ax = given_or_new(ax)
    places = array[along].to_numpy() if along in array.coords else np.arange(array.sizes[along])
    broken = failures(dataset, array)
    stacked = array.stack(curve=others) if others else array.expand_dims("curve")
    lost = broken.stack(curve=others) if others else broken.expand_dims("curve")
    for k in range(stacked.sizes["curve"]):
        draws = stacked.isel(curve=k).transpose(over, along).to_numpy().astype(np.float64)
        draws = draws[~lost.isel(curve=k).transpose(over, along).to_numpy().any(axis=1)]
        named = ", ".join(f"{dim} = {_short(stacked[dim].to_numpy()[k])}" for dim in others)
        color = PALETTE[k % len(PALETTE)]
        if not np.isfinite(draws).any():
            if others:  # or it would be missed
                why = "undecided" if len(draws) else "failed"
                ax.plot([], [], color=color, label=f"{named} ({why})")
            continue
        tails = (0.5 - 0.5 * share, 0.5, 0.5 + 0.5 * share)
        with np.errstate(invalid="ignore"):
            low, middle, high = np.quantile(draws, tails, axis=0)
        ax.fill_between(places, low, high, color=color, alpha=0.25, linewidth=0)
        ax.plot(places, middle, color=color, label=named or None)
    _scale(ax, "x", places)
    ax.set_xlabel(_dim_label(array, along))
    ax.set_ylabel(_label(array))
    if others:
        ax.legend()
    return ax


def _in_order(
    dims: Iterable[str], dataset: xr.Dataset, array: xr.DataArray
) -> tuple[xr.Dataset, xr.DataArray]:
    """Sort both by these dimensions: a grid may have been asked for in any order."""
    known = [dim for dim in dims if dim in array.coords]
    return dataset.sortby(known), array.sortby(known)


def _two(array: xr.DataArray, x: str | None, y: str | None) -> tuple[str, str]:
    wide = [str(dim) for dim in array.dims if array.sizes[dim] > 1]
    chosen = [dimension(name, dim, array) for name, dim in (("x", x), ("y", y)) if dim is not None]
    free = iter([dim for dim in wide if dim not in chosen])
    across = chosen[0] if x is not None else next(free, None)
    up = chosen[-1] if y is not None else next(free, None)
    if across is None or up is None or across == up:
        raise ValueError(
            f"{array.name!r} must have two dimensions to draw it over, has "
            f"{dict(zip(map(str, array.dims), array.shape, strict=True))}, with x={x!r} and y={y!r}"
        )
    return across, up


def _axis(ax: Axes, dim: str, array: xr.DataArray) -> NDArray[np.float64]:
    """Set an axis up for a dimension, and return the edges of its cells."""
    which = "y" if ax.get_xlabel() else "x"
    values = array[dim].to_numpy()
    numbers = values.dtype.kind in "iuf"
    if not numbers:
        ax.set(
            **{f"{which}ticks": np.arange(values.size), f"{which}ticklabels": values.astype(str)}
        )
        values = np.arange(values.size)
    ax.set(**{f"{which}label": _dim_label(array, dim)})
    places = values.astype(np.float64)
    if values.size > 1 and _scale(ax, which, places):
        _tick(ax, which, places)
        return np.exp(_edges(np.log(places), 0.0))
    return _edges(places, 0.0 if numbers and values.size > 1 else 0.5)


def _tick(ax: Axes, which: str, places: NDArray[np.float64]) -> None:
    """Have the values themselves beside a logarithmic axis, if they are few and far apart."""
    apart = np.diff(np.log(places))
    if places.size <= _MOST_TICKS and apart.min() > 0.5 * apart.max():
        ax.set(**{f"{which}ticks": places, f"{which}ticklabels": [in_digits(v) for v in places]})
        getattr(ax, f"{which}axis").set_ticks([], minor=True)


def _edges(places: NDArray[np.float64], beyond: float) -> NDArray[np.float64]:
    """Return what lies half way, and at the ends so much of a cell beyond the last values."""
    apart = np.diff(places) if places.size > 1 else np.ones(1)
    ends = places[0] - beyond * apart[0], places[-1] + beyond * apart[-1]
    return np.array([ends[0], *(0.5 * (places[1:] + places[:-1])), ends[1]])


def _limits(limits: object, log: bool) -> tuple[float, float]:
    ends = _numbers("limits", limits, "two values in order, such as (1, 1e6)")
    if len(ends) != 2 or not ends[0] < ends[1]:
        raise ValueError(f"limits must be two values in order, got {_checks.show(limits)}")
    if log and ends[0] <= 0.0:
        raise ValueError(
            "limits must be greater than 0, where the scale of the colours is logarithmic, got "
            f"{_checks.show(limits)}"
        )
    return ends[0], ends[1]


def _levels(contours: object) -> bool | list[float]:
    if isinstance(contours, bool | np.bool_):
        return bool(contours)
    levels = _numbers("contours", contours, "True, False or a sequence of values")
    return sorted({*levels}) or False


def _numbers(name: str, value: Any, what: str) -> list[float]:
    try:
        if not isinstance(value, str):
            return [_checks.real(name, one) for one in value]
    except TypeError:
        pass
    raise TypeError(f"{name} must be {what}, got {_checks.show(value)}")


def _scale(ax: Axes, which: str, places: NDArray[Any]) -> bool:
    """Make an axis logarithmic if its values are spaced more evenly that way."""
    if places.dtype.kind not in "iuf" or places.size < 3:
        return False
    later = places[places > 0]
    if later.size < places.size - 1 or later.size < 3:  # the step 0 of a curve may be missing
        return False
    if np.ptp(np.diff(np.log(later))) * np.ptp(later) >= np.ptp(np.diff(later)) * np.ptp(
        np.log(later)
    ):
        return False
    ax.set(**{f"{which}scale": "log"})
    return later.size == places.size


def _spans_decades(values: NDArray[np.float64]) -> bool:
    positive = values[values > 0.0]
    if not positive.size or (values < 0.0).any():
        return False
    return bool(positive.max() > _DECADES * positive.min())


def _contours(
    ax: Axes,
    array: xr.DataArray,
    dims: tuple[str, str],
    finite: Any,
    levels: Any,
    log: bool,
) -> None:
    if levels is False or min(finite.shape) < 2 or np.ptp(finite.compressed()) == 0.0:
        return
    drawn = np.ma.masked_less_equal(finite, 0.0) if log else finite
    levels = None if levels is True else levels
    if levels is None and log:
        exponents = np.log10([drawn.min(), drawn.max()])
        every = max(1, round((exponents[1] - exponents[0]) / 8.0))
        levels = 10.0 ** np.arange(np.ceil(exponents[0]), np.floor(exponents[1]) + 1, every)
    if levels is not None and not any(drawn.min() < level < drawn.max() for level in levels):
        return
    places = [
        one if one.dtype.kind in "iuf" else np.arange(one.size)
        for one in (array[dim].to_numpy() for dim in dims)
    ]
    from matplotlib.patheffects import withStroke  # noqa: PLC0415

    lines = ax.contour(*places, drawn, levels=levels, colors="white", linewidths=0.8)
    # White is read on the dark end of the map, and with an edge on the bright one, too.
    for text in ax.clabel(lines, fontsize="small", fmt=in_digits):
        text.set_path_effects([withStroke(linewidth=1.5, foreground="0.25")])


def _marks(ax: Axes, edges: list[NDArray[np.float64]], known: Known) -> None:
    """Mark what is no number, and say what it is."""
    from matplotlib.colors import ListedColormap  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    handles = []
    never = np.isposinf(known.values)
    if never.any():
        solid = np.ma.masked_where(~never, np.ones(never.shape))
        ax.pcolormesh(*edges, solid, cmap=ListedColormap([_NEVER]), rasterized=True)
        handles.append(Patch(color=_NEVER, label="never"))
    for name, mask in (("undecided", known.undecided), ("failed", known.failed)):
        if mask.any():
            color, hatch = _HATCHES[name]
            cells = np.ma.masked_where(~mask, np.ones(mask.shape))
            style: Any = {"hatch": hatch, "edgecolor": "0.55", "linewidth": 0.0}
            ax.pcolor(*edges, cells, cmap=ListedColormap([color]), **style)
            handles.append(Patch(facecolor=color, label=name, **style))
    if handles:
        ax.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(handles),
            frameon=False,
        )  # fmt: skip


def _label(array: xr.DataArray) -> str:
    name = str(array.attrs.get("long_name", array.name))
    units = array.attrs.get("units")
    return f"{name} ({units})" if units and units not in (name, f"{name}s") else name


def _dim_label(array: xr.DataArray, dim: str) -> str:
    return _label(array[dim]) if dim in array.coords else dim


def _short(value: Any) -> str:
    return f"{value:g}" if np.issubdtype(type(value), np.number) else str(value)
