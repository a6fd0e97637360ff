"""Filters and choice: molecules of any files to those that are kept, and a table of all.

::

    files --- records, in processes ---> items --- Sieve ---> kept.sdf, kept.csv, kept.json, page

`moldiff.chem.filters` says what a filter asks; `criteria` makes the filters of what the user names,
`records` measures files, `sieve` judges, picks and writes.
"""
