"""``python -m fastgrok`` is the ``fastgrok`` command."""

import sys

from fastgrok.cli import main

if __name__ == "__main__":
    sys.exit(main())
