"""What the evaluation and the benchmarks report alike: documents, tables, pictures, the machine.

`document` has what a JSON document begins with, `markdown` tables and sections of a README,
`picture` what every picture needs, `machine` the processor and the versions.  What one report
alone shows stays with it.
"""
