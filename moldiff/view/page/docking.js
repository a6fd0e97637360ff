// The page of docked poses: state, its copy in the address (#pose=2&surface=1), list, keyboard.

const byId = (id) => document.getElementById(id);
const report = (message) => { document.body.dataset.error = String(message); };
window.addEventListener("error", (event) => report(event.message));
window.addEventListener("unhandledrejection", (event) => report(event.reason));
document.addEventListener("securitypolicyviolation", (event) => report(`blocked: ${event.blockedURI || event.violatedDirective}`));

const data = JSON.parse(byId("data").textContent);
data.poses.forEach((m, i) => { m.number = i + 1; m.text = searchText(m); });
const SWITCHES = ["cartoon", "sticks", "surface", "reference", "contacts", "labels", "hydrogens"];
const DEFAULTS = { pose: "", sort: "number", order: "asc", cartoon: "1", sticks: "1", surface: "0", reference: "1", contacts: "1", labels: "1", hydrogens: "0" };
const state = { ...DEFAULTS };
const scene = makeDockingScene(byId("scene"), data, (text) => { byId("hover").textContent = text; });
let list = [], selected = null;

const tagged = (key) => (m) => numeric(m.tags[key]);
const countOf = (kind) => (m) => m.contacts.filter((contact) => contact.kind === kind).length;
const COLUMNS = [
  { key: "number", label: "No.", of: (m) => m.number, number: true },
  { key: "name", label: "Ligand", of: (m) => m.name },
  { key: "rank", label: "Rank", of: tagged("rank"), number: true },
  { key: "energy", label: "kcal/mol", of: tagged("energy_kcal_mol"), number: true, digits: 2 },
  { key: "confidence", label: "Confidence", of: tagged("confidence"), number: true, digits: 2 },
  { key: "rmsd", label: "RMSD to reference, Å", of: (m) => m.rmsd, number: true, digits: 2 },
  { key: "bonds", label: "H bonds", of: countOf("hydrogen bond"), number: true },
  { key: "clashes", label: "Clashes", of: countOf("clash"), number: true },
  { key: "checks", label: "Checks", of: (m) => m.tags.checks },
].filter((column) => data.poses.some((m) => ![undefined, null, ""].includes(column.of(m))));

// ---- list ----

function cellOf(m, column) {
  const value = column.of(m);
  const text = typeof value === "number" && column.digits !== undefined ? value.toFixed(column.digits) : String(value ?? "–");
  const cell = make("td", column.number ? "number" : "", text);
  if (column.key === "checks") cell.className = text.startsWith("passed") ? "good" : "bad";
  if (column.key === "clashes" && value > 0) cell.classList.add("bad");
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
    cell.addEventListener("click", () => {
      state.order = state.sort === column.key && state.order === "asc" ? "desc" : "asc";
      state.sort = column.key;
      refreshList();
    });
  });
  return row;
}

function refreshList() {
  const matches = matcher(byId("search").value, []), column = COLUMNS.find((c) => c.key === state.sort) || COLUMNS[0];
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

function showPose(m) {
  const box = byId("details");
  showDetails(box, m, [], step);
  box.querySelector(".badge")?.remove(); // validity is not the question here
  if (!m || !m.contacts.length) return;
  const legend = make("div", "legend");
  Object.entries(CONTACT_COLOURS).forEach(([kind, colour]) => {
    const count = countOf(kind)(m);
    if (!count) return;
    const item = legend.appendChild(make("span"));
    item.append(make("i"), `${count} ${kind}${count === 1 || kind === "hydrophobic" ? "" : kind === "clash" ? "es" : "s"}`);
    item.firstChild.style.color = colour;
  });
  const table = make("table", "contacts");
  m.contacts.forEach((contact) => {
    const row = table.appendChild(make("tr"));
    [contact.kind, contact.atom, `${contact.residue} ${contact.name}`, `${contact.d.toFixed(2)} Å`].forEach((text) => row.append(make("td", "", text)));
  });
  box.append(legend, table);
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

function setSwitch(name, on) {
  state[name] = on ? "1" : "0";
  byId(name).setAttribute("aria-pressed", String(on));
  scene.option(name, on);
  document.body.dataset.atoms = scene.atoms();
  writeAddress();
}

const KEYS = {
  ArrowUp: () => step(-1), ArrowDown: () => step(1), ArrowLeft: () => step(-1), ArrowRight: () => step(1),
  Home: () => step(-Infinity), End: () => step(Infinity), "/": () => byId("search").focus(), 0: () => scene.reset(),
  1: () => toggle("cartoon"), 2: () => toggle("sticks"), 3: () => toggle("surface"),
  x: () => toggle("reference"), k: () => toggle("contacts"), l: () => toggle("labels"), h: () => toggle("hydrogens"),
};
const toggle = (name) => setSwitch(name, state[name] !== "1");

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.activeElement?.blur();
  const busy = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (busy || event.ctrlKey || event.metaKey || event.altKey || byId("licence").open || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
SWITCHES.forEach((name) => byId(name).addEventListener("click", () => toggle(name)));
byId("search").addEventListener("input", refreshList);
byId("reset").addEventListener("click", () => scene.reset());
byId("licences").addEventListener("click", () => byId("licence").showModal());
byId("export").addEventListener("click", () => download("poses.sdf", list.filter(canBeSdf).map(toSdf).join("")));
byId("reference").hidden = !data.reference;
data.notes.forEach((note) => byId("notes").append(make("li", "", note)));

const given = new URLSearchParams(location.hash.slice(1));
for (const name of Object.keys(DEFAULTS)) if (given.has(name)) state[name] = given.get(name);
for (const name of SWITCHES) setSwitch(name, state[name] === "1");
selected = null;
refreshList();
if (data.poses[Number(given.get("pose")) - 1]) select(data.poses[Number(given.get("pose")) - 1], false);
document.body.dataset.scene = scene.kind;
document.body.dataset.ready = "true";
