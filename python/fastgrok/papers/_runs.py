"""Many training runs at the same time, with one progress bar and a prompt stop on Ctrl-C."""

import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Generic, TypeVar

from tqdm import tqdm

from fastgrok._checks import plural
from fastgrok.errors import LeapWarning, StabilityWarning

T = TypeVar("T")


@contextmanager
def judged() -> Iterator[None]:
    """
    Keep quiet what the reports of a paper say: of rates beyond stability, and of lost leaps.

    To be set around a pool of threads, which share their filters.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StabilityWarning)
        warnings.simplefilter("ignore", LeapWarning)
        yield


# A job is given a function to call with its step number now and then, and returns its result.
Report = Callable[[int], None]
Job = Callable[[Report], T]

_REFRESH_SECONDS = 0.1


class JobsInterrupted(KeyboardInterrupt, Generic[T]):
    """
    Ctrl-C while jobs were running.

    Attributes
    ----------
    finished : dict of int to result
        The results of the jobs that had ended, by position in the list of jobs.
    stopped : dict of int to BaseException
        For the jobs under way, what they raised when they were told to stop.
    """

    def __init__(self, finished: dict[int, T], stopped: dict[int, BaseException]) -> None:
        ended = plural(len(finished), "job")
        super().__init__(f"{ended} finished, {len(stopped)} stopped under way")
        self.finished = finished
        self.stopped = stopped


def run_jobs(
    jobs: Sequence[Job[T]],
    *,
    steps: int,
    workers: int,
    progress: bool,
    unit: str = "run",
    measure: str = "step",
) -> list[T]:
    """
    Run every job on a pool of threads and return the results in order.

    Parameters
    ----------
    jobs : sequence of callable
        Each is called with a function that it calls with its current step; that function raises
        KeyboardInterrupt when the job is to stop. Jobs spend their time outside the GIL.
    steps : int
        Steps of each job, for the progress bar.
    workers : int
        Jobs under way at the same time, >= 1.
    progress : bool
        Show a bar on standard error: jobs done and steps taken.
    unit : str
        What one job is called in the bar.
    measure : str
        What the bar counts, `steps` of them a job.

    Raises
    ------
    JobsInterrupted
        On Ctrl-C, once the jobs under way have stopped.
    Exception
        The first exception of a job, once the others have stopped.
    """
    taken = [0] * len(jobs)
    stop = threading.Event()

    def start(index: int) -> T:
        def report(step: int) -> None:
            taken[index] = step
            if stop.is_set():
                raise KeyboardInterrupt

        report(0)  # a job that waits in the queue when the stop comes does not begin
        result = jobs[index](report)
        taken[index] = steps
        return result

    with (
        ThreadPoolExecutor(max_workers=workers) as pool,
        tqdm(
            total=steps * len(jobs),
            unit=measure,
            unit_scale=True,
            disable=not progress,
            mininterval=_REFRESH_SECONDS if sys.stderr.isatty() else 5.0,
            dynamic_ncols=True,
        ) as bar,
    ):
        futures = [pool.submit(start, index) for index in range(len(jobs))]
        try:
            pending: set[Future[T]] = set(futures)
            while pending:
                done, pending = wait(pending, _REFRESH_SECONDS, return_when=FIRST_EXCEPTION)
                ended = len(jobs) - len(pending)
                bar.set_description(f"{ended}/{len(jobs)} {unit}s", refresh=False)
                bar.update(sum(taken) - bar.n)
                for future in done:
                    future.result()
        except KeyboardInterrupt:
            stop.set()
            wait(futures)
            raise _interrupted(futures, taken) from None
        except BaseException:
            stop.set()
            raise
    return [future.result() for future in futures]


def _interrupted(futures: Sequence[Future[T]], taken: Sequence[int]) -> JobsInterrupted[T]:
    finished: dict[int, T] = {}
    stopped: dict[int, BaseException] = {}
    for index, future in enumerate(futures):
        error = future.exception()
        if error is None:
            finished[index] = future.result()
        elif taken[index] > 0:
            stopped[index] = error
    return JobsInterrupted(finished, stopped)
