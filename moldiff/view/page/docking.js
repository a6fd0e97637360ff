// The page of docked poses: state, its copy in the address (#pose=2&surface=1), list, keyboard.

data.poses.forEach((m, i) => { m.number = i + 1; m.text = searchText(m); });
const SWITCHES = ["cartoon", "sidechains", "sticks", "surface", "reference", "contacts", "labels", "hydrogens"];
const DEFAULTS = { q: "", pose: "", sort: "number", order: "asc", cartoon: "1", sidechains: "1", sticks: "0", surface: "0", reference: "1", contacts: "1", labels: "1", hydrogens: "0" };
const state = { ...DEFAULTS };
const scene = makeDockingScene(byId("scene"), data, makeLabels(byId("tags")));
let list = [], selected = null;

const tagged = (key) => (m) => numeric(m.tags[key]);
const library = new Set(data.poses.map((m) => m.smiles)).size > 1; // of ligands, not poses of one
const PROPERTIES = library ? data.columns.map((c) => ({ ...c, number: true, of: (m) => m.properties?.[c.key] })) : [];
const COLUMNS = [
  { key: "number", label: "No.", of: (m) => m.number, number: true },
  ...(library ? [{ key: "structure", label: "Structure", of: (m) => m.smiles, picture: true }] : []),
  { key: "name", label: "Ligand", of: (m) => m.name },
  ...(data.poses.some((m) => m.tags.rank !== "1") || data.poses.length === 1 ? [{ key: "rank", label: "Rank", of: tagged("rank"), number: true }] : []),
  { key: "energy", label: "kcal/mol", of: tagged("energy_kcal_mol"), number: true, digits: 2 },
  { key: "confidence", label: "Confidence", of: tagged("confidence"), number: true, digits: 2 },
  { key: "cnn", label: "CNN score", title: "gnina's network: P(within 2 Å)", of: tagged("cnn_score"), number: true, digits: 2 },
  { key: "rmsd", label: "RMSD, Å", title: "To the reference: heavy atoms, not superposed", of: (m) => m.rmsd, number: true, digits: 2 },
  { key: "hbond", label: "H bonds", of: countOf("hbond"), number: true },
  { key: "clash", label: "Clashes", of: countOf("clash"), number: true },
  { key: "required", label: "Required", of: (m) => m.tags.required },
  { key: "checks", label: "Checks", of: (m) => m.tags.checks },
  ...PROPERTIES,
].filter((column) => data.poses.some((m) => ![undefined, null, ""].includes(column.of(m))));

// Everything a comparison in the search may name: columns, kinds of interactions, tags.
const KEYS_OF_SEARCH = [
  ...[...new Set(data.poses.flatMap((m) => Object.keys(m.tags)))].map((tag) => ({ key: tag, label: tag, of: tagged(tag) })),
  ...data.columns.map((c) => ({ ...c, of: (m) => m.properties?.[c.key] })),
  ...Object.keys(data.kinds).map((kind) => ({ key: kind, label: data.kinds[kind], of: countOf(kind) })),
  ...COLUMNS,
];

// ---- list ----

function cellOf(m, column) {
  const value = column.of(m);
  if (column.picture) {
    const cell = make("td", "structure");
    if (m.svg) cell.append(drawingOf(m));
    return cell;
  }
  const text = typeof value === "number" && column.digits !== undefined ? value.toFixed(column.digits) : String(value ?? "–");
  const cell = make("td", column.number ? "number" : "words", text);
  if (column.key === "checks" || column.key === "required") cell.className += /^(passed|met)/.test(text) ? " good" : " bad";
  if (column.key === "clash" && value > 0) cell.classList.add("bad");
  return cell;
}

function rowOf(m) {
  const row = make("tr");
  row.append(...COLUMNS.map((column) => cellOf(m, column)));
  row.addEventListener("click", () => select(m, true));
  row.setAttribute("aria-selected", String(m === selected));
  m.row = row;
  return row;
}

function headOf() {
  const row = make("tr");
  COLUMNS.forEach((column) => {
    const mark = state.sort === column.key ? (state.order === "desc" ? " ↓" : " ↑") : "";
    const cell = row.appendChild(make("th", column.number ? "number" : "", column.label + mark));
    cell.title = column.title || "";
    cell.addEventListener("click", () => {
      state.order = state.sort === column.key && state.order === "asc" ? "desc" : "asc";
      state.sort = column.key;
      refreshList();
    });
  });
  return row;
}

function refreshList() {
  state.q = byId("search").value.trim();
  const matches = matcher(state.q, KEYS_OF_SEARCH, interactionTest), column = COLUMNS.find((c) => c.key === state.sort) || COLUMNS[0];
  const direction = state.order === "desc" ? -1 : 1;
  list = data.poses.filter(matches).sort((a, b) => compare(column.of(a), column.of(b), direction) || a.number - b.number);
  byId("poses").tHead.replaceChildren(headOf());
  byId("poses").tBodies[0].replaceChildren(...list.map(rowOf));
  byId("empty").hidden = list.length > 0;
  byId("counts").replaceChildren(make("b", "", String(list.length)), list.length === 1 ? " pose" : " poses");
  document.body.dataset.listed = list.length;
  if (!list.includes(selected)) select(list[0] || null, false);
  writeAddress();
}

// ---- selection ----

function select(m, byHand) {
  const first = !selected;
  selected?.row?.setAttribute("aria-selected", "false");
  selected = m;
  m?.row?.setAttribute("aria-selected", "true");
  scene.draw(m && m.xyz ? m : null, first);
  byId("stage-note").textContent = m && !m.xyz ? m.reason || "no coordinates" : "";
  showPose(m);
  document.body.dataset.selected = m ? m.number : "";
  document.body.dataset.atoms = scene.atoms();
  if (byHand) m?.row?.scrollIntoView({ block: "nearest" });
  writeAddress();
}

/** The columns that say how good a pose is; tags shown elsewhere; the other tags are provenance. */
const RESULTS = ["rank", "energy", "confidence", "cnn", "rmsd", "required", "checks"];
const ELSEWHERE = ["SMILES", "rank", "energy_kcal_mol", "confidence", "cnn_score", "checks", "required", ...Object.keys(data.kinds)];

function showPose(m) {
  const box = byId("details");
  box.replaceChildren();
  if (!m) return;
  box.append(titleOf(m, step));
  box.querySelector(".badge")?.remove(); // validity is not the question here
  if (m.reason) box.append(make("p", "reason", m.reason));
  box.append(resultsOf(m));
  if (m.diagram) box.append(diagramOf(m));
  if (m.contacts.length) box.append(legendOf(m), contactTable(m));
  else if (m.xyz) box.append(make("p", "none", "No interactions found."));
  const more = box.appendChild(make("details")), rest = Object.entries(m.tags).filter(([key]) => !ELSEWHERE.includes(key));
  more.open = shownMore;
  more.addEventListener("toggle", () => { shownMore = more.open; });
  const columns = data.columns.filter((c) => m.properties && c.key in m.properties).map((c) => [c.label, m.properties[c.key].toFixed(c.digits)]);
  more.append(make("summary", "", "Properties and provenance"), ...(m.smiles ? [smilesOf(m)] : []));
  more.append(listOf([["Formula", m.formula || "–"], ...columns, ...rest]));
  const actions = box.appendChild(actionsOf(m));
  if (m.diagram) actions.append(diagramButton(m));
  box.scrollTop = 0;
}
let shownMore = false;

function resultsOf(m) {
  const results = make("p", "results");
  COLUMNS.filter((column) => RESULTS.includes(column.key) && ![undefined, null, ""].includes(column.of(m))).forEach((column) => {
    const cell = cellOf(m, column);
    results.append(make("span", "", column.label), make("b", cell.className, cell.textContent));
  });
  return results;
}

function listOf(entries) {
  const list = make("dl");
  entries.forEach(([key, value]) => list.append(make("dt", "", key), make("dd", "", value)));
  return list;
}

function step(by) {
  if (!list.length) return;
  const at = Math.max(0, list.indexOf(selected));
  select(list[Math.min(list.length - 1, Math.max(0, at + by))], true);
}

// ---- controls ----

function writeAddress() {
  state.pose = selected && selected !== data.poses[0] ? String(selected.number) : "";
  const kept = Object.entries(state).filter(([name, value]) => value !== DEFAULTS[name]);
  try {
    history.replaceState(null, "", `#${new URLSearchParams(kept)}`);
  } catch { /* an embedded page may have no address of its own */ }
}

function switched(name) {
  state[name] = switches[name] ? "1" : "0";
  scene.option(name, switches[name]);
  document.body.dataset.atoms = scene.atoms();
  writeAddress();
}

const KEYS = {
  ArrowUp: () => step(-1), ArrowDown: () => step(1), ArrowLeft: () => step(-1), ArrowRight: () => step(1),
  Home: () => step(-Infinity), End: () => step(Infinity), "/": () => byId("search").focus(), Escape: () => byId("stage").classList.remove("over"),
  1: () => toggle("cartoon"), 2: () => toggle("sidechains"), 3: () => toggle("sticks"), 4: () => toggle("surface"), f: fullScreen,
  x: () => toggle("reference"), k: () => toggle("contacts"), l: () => toggle("labels"), h: () => toggle("hydrogens"),
};
/** The stage alone: by the browser where it may, else over the page. */
async function fullScreen() {
  const stage = byId("stage");
  if (document.fullscreenElement) return document.exitFullscreen();
  if (stage.classList.contains("over")) return stage.classList.remove("over");
  try {
    await stage.requestFullscreen();
  } catch {
    stage.classList.add("over");
  }
}

byId("search").addEventListener("input", refreshList);
byId("full").addEventListener("click", fullScreen);
byId("export").addEventListener("click", () => download("poses.sdf", list.filter(canBeSdf).map(toSdf).join("")));
byId("reference").hidden = !data.reference;
[["pose", POSE_CARBON], ...(data.reference ? [["reference", REFERENCE_CARBON]] : []), ["receptor", POCKET_CARBON], ...(data.built.length ? [["built residues", BUILT_CARBON]] : [])].forEach(([text, colour]) => addKey(text, colour));
Object.entries(CONTACT_COLOURS).filter(([kind]) => data.poses.some(countOf(kind))).forEach(([kind, colour]) => addKey(data.kinds[kind], colour, true));

const given = new URLSearchParams(location.hash.slice(1));
for (const name of Object.keys(DEFAULTS)) if (given.has(name)) state[name] = given.get(name);
const switches = Object.fromEntries(SWITCHES.map((name) => [name, state[name] === "1"]));
const toggle = makeSwitches(switches, switched);
SWITCHES.forEach(switched);
selected = null;
byId("search").value = state.q;
refreshList();
if (data.poses[Number(given.get("pose")) - 1]) select(data.poses[Number(given.get("pose")) - 1], false);
start(scene, KEYS);
