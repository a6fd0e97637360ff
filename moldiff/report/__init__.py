"""Shared parts of the reports of training, evaluation and benchmarks.

`document` writes JSON, `markdown` tables and sections of a README, `picture` prepares figures, and
`machine` names the processor and versions.  `page` has what HTML pages share, `chart` draws curves
for them, and `training` is the page of a training run.  Parts of a single report stay with it.
"""
