"""``python -m moldiff``: the command line of the interpreter in use, wherever its scripts are."""

import sys

from moldiff.cli import main

# Workers of a batch import this module under another name; the command is not theirs to run.
if __name__ == "__main__":
    sys.exit(main())
