"""Docking: where and how a ligand sits in a pocket.

A pose is a centre, a rotation and torsions on one of the ligand's conformers.  Proposals
(drawn by diffusion, or at random) are minimised and searched with a physical energy, ranked,
and checked; `moldiff.docking.pipeline` is the pipeline, `moldiff.docking.library` docks many
ligands, and `moldiff.docking.api.dock` is the public ``moldiff.dock``.
"""
