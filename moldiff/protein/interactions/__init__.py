"""Interactions between a pose and a receptor, as ProLIF defines them, and clashes.

Distances and angles are the defaults of ProLIF 2.2 (Bouysset & Fiorucci, J. Cheminform. 13 (2021)
72; https://prolif.readthedocs.io, module ``interactions``):

=============  ========================================  ======  =================================
kind           between                                   Å       angles in degrees
=============  ========================================  ======  =================================
hbond          donor and acceptor                        3.5     donor-hydrogen-acceptor 130 to 180
salt_bridge    charged atoms                             4.5
pi_stacking    centroids of aromatic rings, face         5.5     planes 0 to 35, offset 0 to 33
               the same, edge to face                    6.5     planes 50 to 90, offset 0 to 30;
                                                                 planes meet 1.5 Å from a centroid
cation_pi      cation and centroid                       4.5     offset 0 to 30
halogen_bond   halogen and acceptor                      3.5     carbon-halogen-acceptor 130 to
                                                                 180, at the acceptor 80 to 140
metal          metal and what binds it                   2.8
hydrophobic    hydrophobic atoms                         4.5
clash          heavy atoms                               0.75 of the sum of their radii, 1 Å of a
                                                         metal; no hydrogen bond nor metal's bond
=============  ========================================  ======  =================================

The offset is the angle between a ring's normal and the line to the other centre.  What the atoms
are is in `ligand` and `receptor`.  Where this departs from ProLIF:

- a hydrogen that turns freely (hydroxyl, thiol, ammonium, amine, water) is turned to the acceptor,
  so that nothing depends on where it was put;
- every neighbour of a halogen bond's acceptor is tried (ProLIF tries one of two acceptors that are
  bonded to each other);
- a metal ion forms no salt bridge; its bonds are `metal`, whichever metal it is;
- halogens of a receptor and metals of a ligand are not looked at;
- clashes are those of PoseBusters (Buttenschoen et al., Chem. Sci. 15 (2024) 3130), and a pair that
  clashes is not hydrophobic.
"""

from __future__ import annotations

from moldiff.protein.interactions.interaction import (
    FIELDS,
    KINDS,
    Interaction,
    by_kind,
    label,
)
from moldiff.protein.interactions.search import find_interactions

__all__ = ["FIELDS", "KINDS", "Interaction", "by_kind", "find_interactions", "label"]
