// The stage of a docking: receptor, pose, reference and contacts in one 3Dmol viewer.
// Where WebGL is missing the pose alone is painted.

const CONTACT_COLOURS = { "hydrogen bond": "#2f7de1", metal: "#8a4fd0", hydrophobic: "#d9a514", clash: "#e0323a" };
const POSE_CARBON = "#16a37b", REFERENCE_CARBON = "#c3468f", POCKET_CARBON = "#9aa5b4";

/** Colours by element, carbon in a colour of its own, so that molecules are told apart. */
const byElement = (carbon) => ({ colorfunc: (atom) => (atom.elem === "C" ? carbon : colourOf(elementOf(atom))) });
const elementOf = (atom) => (atom.elem.length === 2 ? atom.elem[0] + atom.elem[1].toLowerCase() : atom.elem);

/** A molecule in the receptor's frame: unlike on the page of molecules nothing is turned. */
const inPlace = (m) => (m && m.xyz ? { ...solid({ ...m, pose: IDENTITY_POSE }) } : null);

function makeDockingScene(host, { receptor, pocket, reference }, onHover) {
  if (!hasWebgl()) return paintedDocking(host);
  const viewer = $3Dmol.createViewer(host, { backgroundAlpha: 0, antialias: true });
  if (!viewer) return paintedDocking(host);
  $3Dmol.setSyncSurface(true); // the page's policy allows no workers
  const options = { cartoon: true, sticks: true, surface: false, reference: true, contacts: true, labels: true, hydrogens: false };
  const protein = viewer.addModel(receptor, "pdb");
  let shown = null, poseModel = null, referenceModel = null, count = 0;

  function drawReceptor() {
    protein.setStyle({}, {});
    if (options.cartoon) protein.setStyle({ hetflag: false }, { cartoon: { color: "#b9c4d3", opacity: 0.72, thickness: 0.3 } });
    if (options.sticks) protein.setStyle({ predicate: inPocket }, { stick: { radius: 0.11, ...byElement(POCKET_CARBON) }, ...(options.cartoon ? { cartoon: { color: "#b9c4d3", opacity: 0.72, thickness: 0.3 } } : {}) });
    protein.setStyle({ predicate: isMetal }, { sphere: { scale: 0.45, colorfunc: (atom) => colourOf(elementOf(atom)) } });
  }
  const serials = new Set(pocket); // of the atoms of residues near a pose; the rest is backbone
  const inPocket = (atom) => serials.has(atom.serial);
  const isMetal = (atom) => atom.hetflag && atom.bonds.length === 0;

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
    viewer.removeAllLabels();
    poseModel = referenceModel = null;
    const mol = inPlace(shown), known = inPlace(reference);
    const seen = mol && (options.hydrogens ? mol : withoutHydrogens(mol));
    count = seen ? seen.elements.length : 0;
    if (known && options.reference) referenceModel = addMolecule(withoutHydrogens(known), REFERENCE_CARBON, 0.12);
    if (seen) poseModel = addMolecule(seen, POSE_CARBON, 0.2);
    if (options.contacts && shown) drawContacts(shown.contacts);
    viewer.setHoverable({}, true, (atom) => onHover(nameOf(atom)), () => onHover(""));
    viewer.render();
  }
  function drawContacts(contacts) {
    const named = new Set();
    contacts.forEach(({ kind, a, b, residue }) => {
      const [start, end] = [a, b].map(([x, y, z]) => ({ x, y, z }));
      viewer.addCylinder({ start, end, radius: kind === "clash" ? 0.09 : 0.05, dashed: true, dashLength: 0.22, gapLength: 0.16, fromCap: 1, toCap: 1, color: CONTACT_COLOURS[kind] });
      if (!options.labels || kind === "hydrophobic" || named.has(residue)) return;
      named.add(residue);
      viewer.addLabel(residue, { position: end, inFront: true, fontSize: 11, fontColor: "#fff", backgroundColor: "#1c2430", backgroundOpacity: 0.65, alignment: "center" });
    });
  }
  const nameOf = (atom) => (atom.resn ? `${atom.resn} ${atom.chain}:${atom.resi} ${atom.atom}` : `${atom.elem}${atom.serial + 1}`);
  function reset() {
    if (!poseModel) return;
    viewer.zoomTo({ model: poseModel });
    viewer.zoom(0.55);
    viewer.render();
  }
  drawReceptor();
  return {
    kind: "webgl", reset, atoms: () => count,
    draw(m, fit) { shown = m; refresh(); if (fit) reset(); },
    option(name, value) {
      options[name] = value;
      if (name === "surface") drawSurface();
      else if (name === "cartoon" || name === "sticks") drawReceptor();
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
