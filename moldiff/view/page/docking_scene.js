// The stage of a docking: receptor, pose, reference and contacts in one 3Dmol viewer.
// Where WebGL is missing the pose alone is painted.

const BACKBONE = new Set(["N", "C", "O", "OXT"]);
const POSE_CARBON = "#16a37b", REFERENCE_CARBON = "#c3468f", POCKET_CARBON = NEUTRAL, BUILT_CARBON = "#e9a23b";

/** A molecule in the receptor's frame: unlike on the page of molecules nothing is turned. */
const inPlace = (m) => (m && m.xyz ? { ...solid({ ...m, pose: IDENTITY_POSE }) } : null);

function makeDockingScene(host, { receptor, pocket, built, reference }, labels) {
  const viewer = makeViewer(host);
  if (!viewer) return paintedDocking(host);
  $3Dmol.setSyncSurface(true); // the page's policy allows no workers
  const options = { cartoon: true, sidechains: true, sticks: false, surface: false, reference: true, contacts: true, labels: true, hydrogens: false };
  const protein = viewer.addModel(receptor, "pdb");
  const names = new Map(protein.selectedAtoms({}).map((atom) => [atom.serial, atom.atom]));
  let shown = null, poseModel = null, referenceModel = null, count = 0;

  const made = new Set(built); // of the atoms of residues that no experiment has seen
  const ribbon = { cartoon: { colorfunc: (atom) => (made.has(atom.serial) ? BUILT_CARBON : FOLD), opacity: 0.72, thickness: 0.3 } };
  const carbonOf = (atom) => (made.has(atom.serial) ? BUILT_CARBON : POCKET_CARBON);
  const residueColours = byElement(carbonOf);
  function drawReceptor() {
    protein.setStyle({}, {});
    if (options.cartoon) protein.setStyle({ hetflag: false }, ribbon);
    const chosen = options.sticks ? inPocket : options.sidechains ? touched() : null;
    if (chosen) protein.setStyle({ predicate: chosen }, { stick: { radius: 0.11, ...residueColours }, ...(options.cartoon ? ribbon : {}) });
    protein.setStyle({ predicate: isMetal }, { sphere: { scale: 0.45, colorfunc: (atom) => colourOf(elementOf(atom)) } });
  }
  const serials = new Set(pocket); // of the atoms of residues near a pose; the rest is backbone
  const inPocket = (atom) => serials.has(atom.serial);
  const isMetal = (atom) => atom.hetflag && atom.bonds.length === 0;
  const residueOf = (atom) => [atom.chain, atom.resi, atom.icode, atom.resn].join(" ");
  const residues = new Map(protein.selectedAtoms({}).map((atom) => [atom.serial, residueOf(atom)]));
  /** Side chains of the residues in contact, and their backbone where it is what is touched. */
  function touched() {
    const met = new Set(), whole = new Set();
    (shown ? shown.contacts : []).flatMap((contact) => contact.serials).forEach((serial) => {
      met.add(residues.get(serial));
      if (BACKBONE.has(names.get(serial))) whole.add(residues.get(serial));
    });
    return (atom) => whole.has(residueOf(atom)) || (met.has(residueOf(atom)) && !(BACKBONE.has(atom.atom) && !atom.hetflag));
  }

  function drawSurface() {
    viewer.removeAllSurfaces();
    if (options.surface) viewer.addSurface($3Dmol.SurfaceType.MS, { opacity: 0.62, color: "#dfe6ef" }, { model: protein, predicate: inPocket });
  }
  function addMolecule(mol, carbon, radius) {
    const model = viewer.addModel();
    model.addAtoms(atomsFor3Dmol(mol));
    model.setStyle({}, { stick: { radius, ...byElement(carbon) } });
    return model;
  }
  function refresh() {
    [poseModel, referenceModel].filter(Boolean).forEach((model) => viewer.removeModel(model));
    viewer.removeAllShapes();
    if (options.sidechains && !options.sticks) drawReceptor();
    poseModel = referenceModel = null;
    const mol = inPlace(shown), known = inPlace(reference);
    const seen = mol && (options.hydrogens ? mol : withoutHydrogens(mol));
    count = seen ? seen.elements.length : 0;
    if (known && options.reference) referenceModel = addMolecule(withoutHydrogens(known), REFERENCE_CARBON, 0.12);
    if (seen) poseModel = addMolecule(seen, POSE_CARBON, 0.2);
    if (options.contacts && shown) drawContacts(shown.contacts);
    labels.show(options.labels && shown ? labelsOf(shown.contacts) : []);
    nameOnHover(viewer, nameOf);
    viewer.render();
  }
  function drawContacts(contacts) {
    contacts.forEach(({ kind, a, b }) => {
      const [start, end] = [a, b].map(pointOf);
      viewer.addCylinder({ start, end, radius: kind === "clash" ? 0.09 : 0.05, dashed: true, dashLength: 0.22, gapLength: 0.16, fromCap: 1, toCap: 1, color: CONTACT_COLOURS[kind] });
    });
  }
  /** One label for each residue, at its most telling contact. */
  function labelsOf(contacts) {
    const named = new Map();
    contacts.forEach(({ kind, b, residue }) => { if (!named.has(residue)) named.set(residue, { text: residue, point: pointOf(b), colour: CONTACT_COLOURS[kind] }); });
    return [...named.values()];
  }
  const pointOf = ([x, y, z]) => ({ x, y, z });
  function placeLabels() {
    const { left, top } = host.getBoundingClientRect();
    labels.place((point) => {
      const at = viewer.modelToScreen(point);
      return { x: at.x - left - window.scrollX, y: at.y - top - window.scrollY };
    });
  }
  const nameOf = (atom) => (atom.resn ? nameOfAtom(atom) : `${atom.elem}${atom.serial + 1}`);
  function reset() {
    if (!poseModel) return;
    viewer.zoomTo({ model: poseModel });
    viewer.zoom(0.55);
    viewer.render();
  }
  viewer.setViewChangeCallback(placeLabels);
  drawReceptor();
  return {
    kind: "webgl", reset, atoms: () => count,
    draw(m, fit) { shown = m; refresh(); if (fit) reset(); },
    option(name, value) {
      options[name] = value;
      if (name === "surface") drawSurface();
      else if (["cartoon", "sidechains", "sticks"].includes(name)) drawReceptor();
      refresh();
    },
  };
}

function paintedDocking(host) {
  const painted = paintedScene(host);
  return {
    ...painted,
    draw(m, fit) { painted.draw(m ? solid(m) : null, fit ? 1 : undefined); },
    option(name, value) { if (name === "hydrogens") painted.option(name, value); },
    reset: () => painted.reset(),
  };
}
