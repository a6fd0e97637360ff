"""``python -m moldiff``: the command line of the interpreter in use, wherever its scripts are."""

from moldiff.cli import run

# Workers of a batch import this module under another name; the command is not theirs to run.
if __name__ == "__main__":
    run()
