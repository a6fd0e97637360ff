// The page of drawn backbones: a list, and the fold of one.

const STATES = { H: ["helix", "#c2553f"], E: ["strand", "#2f74b5"], C: ["neither", NEUTRAL] };
const LABELS = { regular: "share of helices and strands", joined: "bonds joined", helix: "helix", strand: "strand", contacts: "long contacts per residue", size: "radius of gyration / 2.2 n^0.38 Å", clashes: "clashes per 100 residues", left: "phi above 0", hesitation: "hesitation of the sequence model, nats", obeyed: "structure as asked" };
const SHARES = new Set(["helix", "strand", "left", "obeyed"]);
const MOTIF = "#d9a21b";
const switches = { sticks: false, ends: false };
let selected = 0;

/** Blue at the first residue, red at the last. */
const along = (share) => `#${[share, 0.35 + 0.4 * Math.sin(Math.PI * share), 1 - share].map((part) => Math.round(255 * part).toString(16).padStart(2, "0")).join("")}`;
const shown = (key, value) => (SHARES.has(key) ? `${(100 * value).toFixed(0)} %` : value.toFixed(2));

/** Letters in runs of their colours. */
function ribbon(states) {
  const box = make("span", "ribbon");
  (states.match(/(.)\1*/g) || []).forEach((run) => {
    const part = box.appendChild(make("span", "", run));
    part.style.color = STATES[run[0]]?.[1] || "inherit";
  });
  return box;
}

/** Whether residues belong to a motif, by their numbers from 1: of "11-29=A:12-30 40=A:45". */
function inMotif(text) {
  const pieces = (text || "").split(" ").filter(Boolean).map((piece) => piece.split("=")[0].split("-").map(Number));
  return (resi) => pieces.some(([first, last]) => first <= resi && resi <= (last ?? first));
}

const scene = makeStage((viewer) => {
  function refresh() {
    viewer.removeAllModels();
    const item = data.items[selected];
    const model = viewer.addModel(item.pdb, "pdb");
    // The page's own assignment decides what is drawn as helix and strand.
    model.selectedAtoms({}).forEach((atom) => { atom.ss = { H: "h", E: "s" }[item.structure[atom.resi - 1]] || "c"; });
    const share = (atom) => (atom.resi - 1) / Math.max(1, item.structure.length - 1);
    const kept = inMotif(item.motif);
    const colour = (atom) => (switches.ends ? along(share(atom)) : kept(atom.resi) ? MOTIF : STATES[item.structure[atom.resi - 1]][1]);
    const style = { cartoon: { colorfunc: colour, thickness: 0.35, arrows: true } };
    if (switches.sticks) style.stick = { radius: 0.12, ...byElement(colour) };
    model.setStyle({}, style);
    const side = { predicate: (atom) => kept(atom.resi) && !["N", "C", "O"].includes(atom.atom) };
    if (item.motif) model.setStyle(side, { stick: { radius: 0.12, ...byElement(MOTIF) } }, true);
    nameOnHover(model);
    viewer.render();
  }
  function reset() {
    viewer.zoomTo();
    viewer.render();
  }
  return { kind: "webgl", refresh, reset };
});

function fill() {
  fillList({ Backbone: "", Residues: "number", "Secondary structure": "", Contacts: "number", Size: "number" }, data.items.map((item, k) => {
    const row = make("tr"), states = make("td", "words");
    states.append(ribbon(item.structure));
    row.append(make("td", "name", item.name), make("td", "number", String(item.structure.length)), states, make("td", "number", item.figures.contacts.toFixed(2)), make("td", "number", item.figures.size.toFixed(2)));
    row.addEventListener("click", () => select(k));
    return row;
  }));
  byId("counts").replaceChildren(make("b", "", String(data.items.length)), data.items.length === 1 ? " backbone" : " backbones");
}

function select(k) {
  selected = Math.max(0, Math.min(k, data.items.length - 1));
  markRow("poses", selected);
  const item = data.items[selected], table = make("table", "facts");
  const add = (name, value) => {
    const row = table.appendChild(make("tr")), cell = make("td");
    row.append(make("th", "", name), cell);
    cell.append(value);
  };
  if (/[HEC]/.test(item.wanted)) add("asked for", ribbon(item.wanted));
  add("secondary structure", ribbon(item.structure));
  if (item.motif) add("motif", item.motif);
  if (item.sequence) add("sequence", item.sequence);
  Object.entries(item.figures).forEach(([key, value]) => add(LABELS[key], shown(key, value)));
  if (item.unlike !== null) add("unlike natives", item.unlike ? item.unlike.split(" ").map((key) => LABELS[key]).join(", ") : "nothing: native-like");
  byId("details").replaceChildren(table, make("p", "none", "These figures say how a backbone compares with those of known proteins, not that a sequence folds to it."));
  scene?.refresh();
  scene?.reset();
  document.body.dataset.selected = item.name;
}

const toggle = makeSwitches(switches, () => scene?.refresh());
Object.values(STATES).forEach(([text, colour]) => addKey(text, colour));
if (data.items.some((item) => item.motif)) addKey("motif", MOTIF);
fill();
select(0);
start(scene, { b: () => toggle("sticks"), c: () => toggle("ends"), ArrowUp: () => select(selected - 1), ArrowDown: () => select(selected + 1) });
