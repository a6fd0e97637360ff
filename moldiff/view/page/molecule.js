// Molecules as plain data: colours, radii, poses, trajectory frames, files to download.

const COLOURS = {
  H: "#e9edf2", C: "#525c69", N: "#3b74e8", O: "#e0454b", F: "#34b36b", B: "#e8a48c", Si: "#c9a47a",
  P: "#e8881a", S: "#dcb21a", Cl: "#2fae4e", Br: "#b0512e", I: "#8a4fd0",
  X: "#c8ced6", // an atom that has no element yet, in a trajectory
};
const OTHER_COLOUR = "#c85fb4";

// Covalent radii in Å (Cordero et al., Dalton Trans. 2008, 2832) and van der Waals radii (Bondi 1964).
const COVALENT = { H: 0.31, C: 0.76, N: 0.71, O: 0.66, F: 0.57, B: 0.84, Si: 1.11, P: 1.07, S: 1.05, Cl: 1.02, Br: 1.2, I: 1.39 };
const BULK = { H: 1.2, C: 1.7, N: 1.55, O: 1.52, F: 1.47, Si: 2.1, P: 1.8, S: 1.8, Cl: 1.75, Br: 1.85, I: 1.98 };

const colourOf = (element) => COLOURS[element] || OTHER_COLOUR;
const covalentRadius = (element) => COVALENT[element] || 1.3;
const bulkRadius = (element) => BULK[element] || 1.9;

/** Bonds by distance, flat [i, j, order, ...], for frames that carry none. */
function bondsByDistance(elements, points) {
  const bonds = [];
  for (let i = 0; i < elements.length; i++) {
    for (let j = 0; j < i; j++) {
      const reach = covalentRadius(elements[i]) + covalentRadius(elements[j]) + 0.35;
      const d = Math.hypot(points[i][0] - points[j][0], points[i][1] - points[j][1], points[i][2] - points[j][2]);
      if (d > 0.4 && d < reach) bonds.push(j, i, 1);
    }
  }
  return bonds;
}

/** Flat coordinates as points, turned into the pose (rotation, then centre) of the molecule. */
function posed(flat, pose) {
  const points = [];
  for (let k = 0; k + 2 < flat.length; k += 3) {
    const [x, y, z] = [flat[k] - pose[9], flat[k + 1] - pose[10], flat[k + 2] - pose[11]];
    points.push([0, 3, 6].map((r) => pose[r] * x + pose[r + 1] * y + pose[r + 2] * z));
  }
  return points;
}

const IDENTITY_POSE = [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0];

/** What a viewer draws: elements, points, bonds; null when the record has no 3D coordinates. */
function solid(molecule) {
  if (!molecule.xyz) return null;
  return {
    elements: molecule.elements, bonds: molecule.bonds, problem: molecule.problem || [], kept: molecule.kept || [], hits: [],
    charges: molecule.charges || {}, points: posed(molecule.xyz, molecule.pose),
  };
}

/** The frames of a trajectory, or its predictions, as solids (null where there is none); a frame
 * without elements or bonds repeats the last ones. */
function solidFrames(molecule, name = "frames") {
  let elements = [], bonds = [];
  return (molecule[name] || []).map((frame) => {
    if (!frame) return null;
    elements = frame.e || elements;
    bonds = frame.b || bonds;
    const points = posed(frame.x, molecule.pose || IDENTITY_POSE);
    const drawn = bonds.length ? bonds : bondsByDistance(elements, points);
    return { t: frame.t, elements, points, bonds: drawn, problem: [], kept: [], hits: [], charges: {} };
  });
}

/** The same molecule without hydrogens. */
function withoutHydrogens(mol) {
  const kept = [], place = new Map();
  mol.elements.forEach((element, i) => { if (element !== "H") { place.set(i, kept.length); kept.push(i); } });
  const bonds = [], charges = {};
  for (let k = 0; k < mol.bonds.length; k += 3) {
    const [a, b] = [place.get(mol.bonds[k]), place.get(mol.bonds[k + 1])];
    if (a !== undefined && b !== undefined) bonds.push(a, b, mol.bonds[k + 2]);
  }
  const placed = (atoms) => atoms.map((i) => place.get(i)).filter((i) => i !== undefined);
  kept.forEach((i, k) => { if (mol.charges[i]) charges[k] = mol.charges[i]; });
  return {
    ...mol, bonds, charges, numbers: kept.map((i) => i + 1),
    elements: kept.map((i) => mol.elements[i]), points: kept.map((i) => mol.points[i]),
    problem: placed(mol.problem), kept: placed(mol.kept), hits: placed(mol.hits),
  };
}

/** "C3 +": element, number counted from 1 as in an SDF file, formal charge. */
function atomLabel(mol, i) {
  const charge = mol.charges[i] || 0;
  const sign = charge ? ` ${Math.abs(charge) > 1 ? Math.abs(charge) : ""}${charge > 0 ? "+" : "−"}` : "";
  return `${mol.elements[i]}${mol.numbers ? mol.numbers[i] : i + 1}${sign}`;
}

/** Zoom that keeps a trajectory in sight: noise is wider than the molecule it becomes. */
function roomFor(mol, frames) {
  const spread = (solidOne) => Math.max(1, ...solidOne.points.map((p) => Math.hypot(...p)));
  const final = spread(mol || frames[frames.length - 1]);
  return Math.max(0.75, Math.min(1, final / Math.max(...frames.map(spread))));
}

// ---- files ----

const oneLine = (text) => String(text).replace(/[\r\n]+/g, " ");
const pad = (value, width) => String(value).padStart(width);

/** M lines of at most eight entries: charges, isotopes, radicals. */
function propertyLines(code, values) {
  const entries = Object.entries(values || {}).map(([i, v]) => pad(Number(i) + 1, 4) + pad(v, 4));
  const lines = [];
  for (let k = 0; k < entries.length; k += 8) {
    const part = entries.slice(k, k + 8);
    lines.push(`M  ${code}${pad(part.length, 3)}${part.join("")}`);
  }
  return lines;
}

const canBeSdf = (m) => Boolean(m.xyz) && !m.guessed && m.elements.length < 1000 && m.bonds.length < 3000;

/** A V2000 record with the tags of the molecule. */
function toSdf(m) {
  const lines = [oneLine(m.name || ""), "  moldiff           3D", ""];
  lines.push(`${pad(m.elements.length, 3)}${pad(m.bonds.length / 3, 3)}  0  0  0  0  0  0  0  0999 V2000`);
  m.elements.forEach((element, i) => {
    const place = [0, 1, 2].map((k) => m.xyz[3 * i + k].toFixed(4).padStart(10)).join("");
    lines.push(`${place} ${element.padEnd(3)} 0  0  0  0  0  0  0  0  0  0  0  0`);
  });
  for (let k = 0; k < m.bonds.length; k += 3) {
    lines.push(`${pad(m.bonds[k] + 1, 3)}${pad(m.bonds[k + 1] + 1, 3)}${pad(m.bonds[k + 2], 3)}  0`);
  }
  // M RAD counts multiplicity: one unpaired electron is a doublet (2), two a triplet (3)
  const spins = Object.fromEntries(Object.entries(m.radicals || {}).map(([i, n]) => [i, Math.min(n + 1, 3)]));
  lines.push(...propertyLines("CHG", m.charges), ...propertyLines("ISO", m.isotopes), ...propertyLines("RAD", spins), "M  END");
  for (const [key, value] of Object.entries(m.tags)) {
    // a blank line would end the tag: keep the text, drop the emptiness
    lines.push(`>  <${oneLine(key).replace(/[<>]/g, "_")}>`, String(value).replace(/\r?\n(\s*\r?\n)+/g, "\n"), "");
  }
  return lines.join("\n") + "\n$$$$\n";
}

function toXyz(m) {
  const rows = m.elements.map((e, i) => `${e} ${m.xyz.slice(3 * i, 3 * i + 3).map((v) => v.toFixed(4)).join(" ")}`);
  return [m.elements.length, oneLine(m.name || ""), ...rows].join("\n") + "\n";
}

const toSmi = (m) => `${m.smiles} ${oneLine(m.name || "")}\n`;

/** The best format this molecule has: SDF, XYZ (bonds unknown), SMILES, or none. */
function fileOf(m) {
  if (canBeSdf(m)) return { suffix: "sdf", text: toSdf(m) };
  if (m.xyz) return { suffix: "xyz", text: toXyz(m) };
  return m.smiles ? { suffix: "smi", text: toSmi(m) } : null;
}

function download(name, text, type = "chemical/x-mdl-sdfile") {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name.replace(/[^\w.-]+/g, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** Save the list: as SMILES, or in the one format its molecules share: SDF, else XYZ, else SMILES. */
function saveList(list, smiles) {
  const files = list.map((m) => (smiles ? m.smiles && { suffix: "smi", text: toSmi(m) } : fileOf(m))).filter(Boolean);
  const suffix = ["sdf", "xyz", "smi"].find((s) => files.some((file) => file.suffix === s));
  if (suffix) download(`molecules.${suffix}`, files.filter((file) => file.suffix === suffix).map((file) => file.text).join(""));
}
