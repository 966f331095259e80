"""The client of a cluster: that it is one, and who is there."""

from __future__ import annotations

from time import monotonic, sleep
from typing import Any

from fastgrok import _checks
from fastgrok.errors import FastgrokError

_OVER = ("closing", "closed")


class ClusterError(FastgrokError):
    """The workers of a cluster cannot hold the rows, or not answer any more."""


class ClusterWarning(UserWarning):
    """A run over rows on a cluster waits for workers that have been paused for lack of memory."""


def is_closed(client: Any) -> bool:
    """Whether a client has been closed."""
    return getattr(client, "status", None) in _OVER


def require_client(name: str, client: Any) -> None:
    """
    Refuse what is no client of a cluster that can be asked now.

    Raises
    ------
    TypeError, ValueError
        Which says what to do.
    """
    if not (hasattr(client, "submit") and hasattr(client, "nthreads")):
        remedy = "distributed.Client(cluster), or of the scheduler's address, makes one"
        if hasattr(client, "scheduler_address"):
            remedy = "distributed.Client(it) makes one"
        elif isinstance(client, str):
            remedy = f"distributed.Client({client!r}) makes one"
        raise TypeError(
            f"{name} must be a distributed.Client, got {_checks.show(client)}: {remedy}"
        )
    if getattr(client, "asynchronous", False):
        raise TypeError(f"{name} must be a Client with asynchronous=False, got one with True")
    if is_closed(client):
        raise ValueError(
            f"{name} is a Client that is closed: make another, as distributed.Client(cluster), "
            "and give that"
        )


class Cluster:
    """
    Who is there.

    Parameters
    ----------
    client : distributed.Client
        The cluster's.
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    @property
    def is_closed(self) -> bool:
        """Whether the client has been closed."""
        return is_closed(self.client)

    def workers(self) -> dict[str, int]:
        """
        Return the addresses of the workers and their numbers of threads.

        Raises
        ------
        ClusterError
            If the scheduler does not answer.
        """
        try:
            return dict(self.client.nthreads())
        except Exception as error:  # of connections and of event loops: it has many
            raise self.gone() from error

    def gone(self) -> ClusterError:
        """Say that there is no scheduler, or no client, to ask."""
        if self.is_closed:
            return ClusterError(
                "the Client that brought the rows to the cluster is closed, or has closed itself "
                "because the scheduler was gone: make another and bring the rows again; a "
                "checkpoint goes on from where it was"
            )
        return ClusterError(
            "the scheduler of the cluster does not answer: start it anew, and bring the rows again"
        )

    def alive(self, within: float) -> dict[str, int]:
        """Return the same, when there are some."""
        until = monotonic() + within
        while not (workers := self.workers()):
            if monotonic() > until:
                raise ClusterError(f"the cluster has had no worker for {within:g} s")
            sleep(0.1)
        return workers

    def paused(self, workers: list[str]) -> list[str]:
        """Return those of them that begin nothing, for lack of memory."""
        try:
            known = self.client.scheduler_info()["workers"]
        except Exception:  # it is no more than what a warning tells of
            return []
        return [one for one in workers if known.get(one, {}).get("status") == "paused"]
