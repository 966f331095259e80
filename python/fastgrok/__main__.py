"""The ``fastgrok`` command, which ``python -m fastgrok`` is as well."""

import os
import sys


def main() -> int:
    """
    Run the command of `fastgrok.cli`, with a BLAS of one thread.

    Its jobs share out the cores among themselves: a BLAS that does so too spins for work of its
    own while they wait. It reads that where it is loaded, with NumPy; what the user has set counts
    first. Products of wide data sets, those of ``--dim``, are left to all of its threads.

    Returns
    -------
    int
        The exit status.
    """
    # argparse, which takes "--d" and "--di" for it too, comes too late: NumPy is loaded by then.
    if not any(argument.startswith("--d") for argument in sys.argv[1:]):
        for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")
    from fastgrok.cli import main as command  # noqa: PLC0415 (loads NumPy)

    return command()


if __name__ == "__main__":
    sys.exit(main())
