// The page of a prepared receptor: what was kept and why, and the boxes to dock into.

const BOX_COLOURS = { ligand: "#16a37b", cavity: "#c98500", chosen: "#3b6cf6" };
const LEFT_COLOUR = "#16a37b", KEPT_COLOUR = "#9aa5b4";
let chosen = null;

/** Fill a table of the page; a table without rows says so. */
function fill(id, header, rows, pick) {
  const table = byId(id), head = make("tr");
  header.forEach((text) => head.append(make("th", "", text)));
  table.tHead.replaceChildren(head);
  if (!rows.length) table.tBodies[0].appendChild(make("tr")).append(make("td", "none", "None."));
  rows.forEach((cells, index) => {
    const row = make("tr");
    cells.forEach((text) => row.append(make("td", "", text)));
    if (pick) row.addEventListener("click", () => pick(index));
    table.tBodies[0].append(row);
  });
}

function makeReceptorScene(host) {
  const viewer = hasWebgl() && $3Dmol.createViewer(host, { backgroundAlpha: 0, antialias: true });
  if (!viewer) {
    byId("stage-note").textContent = "This browser has no WebGL: the tables are all there is.";
    return { kind: "none", show() {}, reset() {} };
  }
  const carbon = (colour) => ({ colorfunc: (atom) => (atom.elem === "C" ? colour : colourOf(elementOf(atom))) });
  const elementOf = (atom) => (atom.elem.length === 2 ? atom.elem[0] + atom.elem[1].toLowerCase() : atom.elem);
  const protein = viewer.addModel(data.receptor, "pdb");
  protein.setStyle({ hetflag: false }, { cartoon: { color: "#b9c4d3", opacity: 0.8, thickness: 0.3 } });
  protein.setStyle({ hetflag: true }, { stick: { radius: 0.18, ...carbon(KEPT_COLOUR) }, sphere: { scale: 0.28, ...carbon(KEPT_COLOUR) } });
  if (data.ligands) viewer.addModel(data.ligands, "pdb").setStyle({}, { stick: { radius: 0.22, ...carbon(LEFT_COLOUR) } });
  const name = (atom) => { byId("hover").textContent = atom ? `${atom.resn} ${atom.chain}:${atom.resi} ${atom.atom}` : ""; };
  viewer.setHoverable({}, true, name, () => name(null));
  const point = (p) => ({ x: p[0], y: p[1], z: p[2] });

  /** The twelve edges of a box: pairs of corners that differ in one coordinate. */
  function drawBox({ center, size, kind }, on) {
    const corner = (bits) => point(center.map((c, k) => c + (bits >> k & 1 ? 0.5 : -0.5) * size[k]));
    for (let from = 0; from < 8; from += 1) {
      for (const bit of [1, 2, 4]) {
        if (from & bit) continue;
        viewer.addCylinder({ start: corner(from), end: corner(from | bit), radius: on ? 0.22 : 0.1, fromCap: 1, toCap: 1, color: on ? BOX_COLOURS.chosen : BOX_COLOURS[kind] });
      }
    }
  }
  function show(index) {
    viewer.removeAllShapes();
    data.boxes.forEach((box, k) => drawBox(box, k === index));
    viewer.render();
  }
  function reset() {
    viewer.zoomTo();
    viewer.render();
  }
  return { kind: "webgl", show, reset };
}

const scene = makeReceptorScene(byId("scene"));

function choose(index) {
  chosen = index === chosen ? null : index;
  [...byId("boxes").tBodies[0].rows].forEach((row, k) => row.setAttribute("aria-selected", String(k === chosen)));
  scene.show(chosen);
  document.body.dataset.chosen = chosen === null ? "" : data.boxes[chosen].what;
}

byId("counts").textContent = data.counts;
byId("hydrogens").textContent = data.hydrogens;
fill("boxes", ["Where", "For moldiff dock"], data.boxes.map((box) => [box.what, box.options]), choose);
fill("groups", ["Residue", "Kind", "", "Why"], data.groups);
fill("states", ["Residue", "Hydrogen on", "Decided by"], data.states);
[["left out", LEFT_COLOUR], ["kept groups", KEPT_COLOUR], ["box of a ligand", BOX_COLOURS.ligand], ["cavity", BOX_COLOURS.cavity]].forEach(([text, colour]) => addKey(text, colour));
byId("reset").addEventListener("click", scene.reset);
document.addEventListener("keydown", (event) => { if (event.key === "0") scene.reset(); });
scene.show(null);
scene.reset();
document.body.dataset.scene = scene.kind;
document.body.dataset.ready = "true";
