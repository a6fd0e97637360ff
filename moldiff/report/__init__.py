"""Shared parts of the reports of training, evaluation and benchmarks.

`document` writes JSON, `markdown` tables and sections of a README, `picture` prepares figures,
`machine` names the processor and versions, and `environment` what networks ran on (it needs torch,
which the others do not).  Parts of a single report stay with that report.
`page` has what HTML pages share, `chart` draws curves for them, and `training` is the page of a
training run.
"""
