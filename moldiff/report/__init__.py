"""Shared parts of the reports of evaluation and benchmarks.

`document` writes JSON, `markdown` tables and sections of a README, `picture` prepares figures, and
`machine` names the processor and versions.  Parts of a single report stay with that report.
"""
