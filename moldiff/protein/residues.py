"""Tables of residues: what kind each name is, which atoms it has, and which of them carry H.

Names are those of the wwPDB Chemical Component Dictionary and the usual ones of force fields.
The names of modified amino acids and nucleotides come from Biopython.
"""

from __future__ import annotations

from Bio.Data.PDBData import nucleic_letters_3to1_extended, protein_letters_3to1_extended

__all__ = [
    "ADDITIVES",
    "AMINO_ACIDS",
    "BACKBONE",
    "BASES",
    "DONORS",
    "FOUR_LETTERS",
    "HISTIDINES",
    "NUCLEOTIDES",
    "STANDARD_BASES",
    "TEMPLATES",
    "WATERS",
    "protonation",
    "standard_name",
]

BACKBONE = ("N", "CA", "C", "O")

#: Side-chain heavy atoms of the 20 amino acids and selenomethionine.
TEMPLATES: dict[str, tuple[str, ...]] = {
    name: tuple(atoms.split())
    for name, atoms in {
        "ALA": "CB",
        "ARG": "CB CG CD NE CZ NH1 NH2",
        "ASN": "CB CG OD1 ND2",
        "ASP": "CB CG OD1 OD2",
        "CYS": "CB SG",
        "GLN": "CB CG CD OE1 NE2",
        "GLU": "CB CG CD OE1 OE2",
        "GLY": "",
        "HIS": "CB CG ND1 CD2 CE1 NE2",
        "ILE": "CB CG1 CG2 CD1",
        "LEU": "CB CG CD1 CD2",
        "LYS": "CB CG CD CE NZ",
        "MET": "CB CG SD CE",
        "MSE": "CB CG SE CE",
        "PHE": "CB CG CD1 CD2 CE1 CE2 CZ",
        "PRO": "CB CG CD",
        "SER": "CB OG",
        "THR": "CB OG1 CG2",
        "TRP": "CB CG CD1 CD2 NE1 CE2 CE3 CZ2 CZ3 CH2",
        "TYR": "CB CG CD1 CD2 CE1 CE2 CZ OH",
        "VAL": "CB CG1 CG2",
    }.items()
}

# Force-field names of protonation states -> the name whose atoms they have.
_ALIASES = {
    **dict.fromkeys(("HID", "HIE", "HIP"), "HIS"),
    **dict.fromkeys(("CYX", "CYM"), "CYS"),
    "ASH": "ASP",
    "GLH": "GLU",
    "LYN": "LYS",
    "ARN": "ARG",
}
# Names of CHARMM, GROMOS, OPLS and Amber -> Amber's name of the same protonation state.
_STATES = {
    **dict.fromkeys(("HSD", "HISD", "HISA"), "HID"),
    **dict.fromkeys(("HSE", "HISE", "HISB"), "HIE"),
    **dict.fromkeys(("HSP", "HISP", "HISH"), "HIP"),
    **dict.fromkeys(("ASPP", "ASPH"), "ASH"),
    **dict.fromkeys(("GLUP", "GLUH"), "GLH"),
    **dict.fromkeys(("LSN", "LYSN"), "LYN"),
    **dict.fromkeys(("CYS2", "CYSS", "CYSX"), "CYX"),
    "LYSH": "LYS",
    "LYP": "LYS",
    "CYSH": "CYS",
    "ARGN": "ARN",
}
# Amber's residues at the ends of chains: NALA, CALA.
_ENDS = {f"{end}{name}": name for end in "NC" for name in (*TEMPLATES, *_ALIASES) if name != "MSE"}


def protonation(name: str) -> str:
    """Return Amber's name of the state that a residue's name tells (``ASPP`` -> ``ASH``)."""
    return _STATES.get(name) or _ENDS.get(name, name)


def standard_name(name: str) -> str:
    """Return the name of the amino acid a force-field name stands for (``HID`` -> ``HIS``)."""
    state = protonation(name)
    return _ALIASES.get(state, state)


AMINO_ACIDS = (
    {name.strip() for name in protein_letters_3to1_extended}
    | {*_ALIASES, *_STATES, *_ENDS}
    | set(TEMPLATES)
    | {"ACE", "NME", "NH2", "HCX", "TOH", "SEC", "PYL", "UNK", "ASX", "GLX"}
)
NUCLEOTIDES = {name.strip() for name in nucleic_letters_3to1_extended} | {
    *("A", "C", "G", "U", "I", "N", "DA", "DC", "DG", "DT", "DU", "DI", "DN"),
    *("ADE", "CYT", "GUA", "THY", "URA", "RA", "RC", "RG", "RU", "A3", "A5", "C3", "C5"),
}
WATERS = {"HOH", "WAT", "DOD", "H2O", "TIP", "TIP3", "TIP4", "TP3", "SOL", "SPC", "MTO"}
WATERS |= {"TIP5", "TP4", "TP5", "T3P", "T4P", "SPCE", "OPC", "D2O", "HO4", "TP3M"}
#: Names of four letters, which the PDB format has no column for.
FOUR_LETTERS = (
    {name for name in (*_STATES, *_ENDS, *WATERS) if len(name) == 4}
    | set("POPC POPE POPG POPS DOPC DOPE DOPG DPPC DMPC DLPC DSPC DPPE CHL1 PALM CYSP".split())
    | {"ZN2+", "CA2+", "MG2+", "FE2+", "FE3+", "CU2+", "MN2+", "CU1+"}
)

#: Buffers, salts, precipitants, cryoprotectants, detergents, halides and unknown atoms: there
#: for the sake of the experiment.  Left out of a receptor unless asked for.
ADDITIVES = set(
    "GOL EDO PGO PDO MPD MRD BU1 BU2 BU3 HEZ EOH MOH IPA POL 1BO TBU DIO ACN DMS DMF BME DTT DTV "
    "DTU TCE CCN PEG PGE PG0 PG4 PG5 PG6 PGR PE3 PE4 PE5 PE8 PEU P33 P3G P4G P6G 1PE 2PE 7PE 12P "
    "15P 33O PEO TOE XPE M2M SO4 SO3 SUL PO4 2HP PI NO3 NO2 SCN AZI CYN CO3 NH4 ACT ACY FMT "
    "CIT FLC TLA TAR SRT MLI MLA MAE OXL MES EPE TRS BTB BIS NHE CXS MPO PIN B3P HAI TMA CAC IMD "
    "GAI URE BCN 144 CL BR IOD F XE KR AR LDA LMT BOG BNG OCT D10 D12 HEX C8E CE1 SDS DDQ UND R16 "
    "UNX UNL".split()
)

# How the hydrogens of a donor stand: the keys of hydrogens.PLACERS.
_SIDE_CHAIN_DONORS = {
    "ARG": "NE:plane NH1:amide NH2:amide",
    "ARN": "NE:plane NH1:amide NH2:amide",
    "ASN": "ND2:amide",
    "GLN": "NE2:amide",
    "LYS": "NZ:ammonium",
    "LYN": "NZ:ammonium",
    "SER": "OG:hydroxyl",
    "THR": "OG1:hydroxyl",
    "TYR": "OH:hydroxyl",
    "TRP": "NE1:plane",
    "HYP": "OD1:hydroxyl",
    "ASH": "OD2:hydroxyl",
    "GLH": "OE2:hydroxyl",
}

#: (residue, atom) -> how its hydrogens stand.
DONORS: dict[tuple[str, str], str] = {
    (residue, entry.split(":")[0]): entry.split(":")[1]
    for residue, entries in _SIDE_CHAIN_DONORS.items()
    for entry in entries.split()
}

#: The protonated nitrogens that a histidine's state stands for; plain HIS is decided otherwise.
HISTIDINES: dict[str, tuple[str, ...]] = {
    "HID": ("ND1",),
    "HIE": ("NE2",),
    "HIP": ("ND1", "NE2"),
}

_BASE_SITES = {
    # base: (donors with the standing of their hydrogens, nitrogens that only accept)
    "A": ("N6:amide", "N1 N3 N7"),
    "G": ("N1:plane N2:amide", "N3 N7"),
    "C": ("N4:amide", "N3"),
    "U": ("N3:plane", ""),
    "I": ("N1:plane", "N3 N7"),
}
_BASE_NAMES = {
    **dict.fromkeys(("A", "DA", "ADE", "RA"), "A"),
    **dict.fromkeys(("G", "DG", "GUA", "RG"), "G"),
    **dict.fromkeys(("C", "DC", "CYT", "RC"), "C"),
    **dict.fromkeys(("U", "DU", "DT", "T", "THY", "URA", "RU"), "U"),
    **dict.fromkeys(("I", "DI"), "I"),
}


def _sites(base: str, suffix: str = "") -> dict[str, str]:
    """Nitrogen -> standing of its hydrogens, or "" for one that only accepts."""
    donors, acceptors = _BASE_SITES[base]
    pairs = [entry.split(":") for entry in donors.split()]
    return {
        **{name + suffix: standing for name, standing in pairs},
        **{name + suffix: "" for name in acceptors.split()},
    }


_FLAVIN = {"N1": "", "N3": "plane", "N5": ""}

#: nucleotide or cofactor -> {nitrogen: standing of its hydrogens, or "" if it only accepts}.
BASES: dict[str, dict[str, str]] = {
    **{name: _sites(base) for name, base in _BASE_NAMES.items()},
    **{name: _sites("A") for name in "AMP ADP ATP ANP ACP AGS A3P SAM SAH ADN".split()},
    **{name: _sites("G") for name in "GMP 5GP GDP GTP GNP GCP GSP".split()},
    **{name: _sites("A", "A") for name in "NAD NAI NAP NDP COA ACO".split()},
    "FMN": _FLAVIN,
    "FAD": {**_FLAVIN, **_sites("A", "A")},
}
STANDARD_BASES = set(_BASE_NAMES)
