// The page of a prepared receptor: what was kept and why, and the boxes to dock into.

const BOX_COLOURS = { ligand: "#16a37b", cavity: "#c98500", chosen: "#3b6cf6" };
const LEFT_COLOUR = "#16a37b", KEPT_COLOUR = NEUTRAL;
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

const scene = makeStage((viewer) => {
  const protein = viewer.addModel(data.receptor, "pdb");
  protein.setStyle({ hetflag: false }, { cartoon: { color: FOLD, opacity: 0.8, thickness: 0.3 } });
  protein.setStyle({ hetflag: true }, { stick: { radius: 0.18, ...byElement(KEPT_COLOUR) }, sphere: { scale: 0.28, ...byElement(KEPT_COLOUR) } });
  if (data.ligands) viewer.addModel(data.ligands, "pdb").setStyle({}, { stick: { radius: 0.22, ...byElement(LEFT_COLOUR) } });
  nameOnHover(viewer);
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
});

function choose(index) {
  chosen = index === chosen ? null : index;
  markRow("boxes", chosen);
  scene?.show(chosen);
  document.body.dataset.chosen = chosen === null ? "" : data.boxes[chosen].what;
}

byId("counts").textContent = data.counts;
byId("hydrogens").textContent = data.hydrogens;
fill("boxes", ["Where", "For moldiff dock"], data.boxes.map((box) => [box.what, box.options]), choose);
fill("groups", ["Residue", "Kind", "", "Why"], data.groups);
fill("states", ["Residue", "Hydrogen on", "Decided by"], data.states);
[["left out", LEFT_COLOUR], ["kept groups", KEPT_COLOUR], ["box of a ligand", BOX_COLOURS.ligand], ["cavity", BOX_COLOURS.cavity]].forEach(([text, colour]) => addKey(text, colour));
scene?.show(null);
scene?.reset();
start(scene, {});
