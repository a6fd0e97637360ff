// The page: state, its copy in the address (#mol=3&sort=qed&order=desc&sub=c1ccncc1&play=1), events, keyboard.

data.molecules.forEach((m, i) => { m.number = i + 1; m.text = searchText(m); });
const keys = sortKeys(data);
const marked = data.highlight?.pattern || "";
const DEFAULTS = { mol: "", q: "", sub: marked, only: marked ? "0" : "1", stars: "0", charts: "", show: "all", kind: "", sort: "order", order: "asc", pictures: "2d", style: "ball", hydrogens: "1", labels: "0", spin: "0" };
const state = { ...DEFAULTS };
let list = [], selected = null, found = null;

const scene = makeScene(byId("scene"), (text) => { byId("hover").textContent = text; });
const favourites = makeFavourites(data);
const search = makeSearch(data);
const star = (m) => starOf(m, favourites, starsChanged);
const grid = makeGrid(byId("grid"), (m) => select(m, true), star);
const charts = makeCharts(byId("charts"), data.molecules, keys, (change) => { byId("search").value = state.q = change(state.q); refreshList(); });
const player = makePlayer(scene, beside);
let second = null;

/** The second scene, for predictions: made when it is first needed. */
function beside() {
  if (!second) {
    byId("scene2").hidden = false;
    second = makeScene(byId("scene2"), () => {});
    ["style", "hydrogens", "labels"].forEach((name) => second.option(name, name === "style" ? state.style : state[name] === "1"));
    scene.link(second);
  }
  return second;
}

// ---- state and address ----

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(DEFAULTS)) if (given.has(name)) state[name] = given.get(name);
  if (!(state.show in SHOW)) state.show = "all";
  if (!(state.style in SCENE_STYLES)) state.style = "ball";
  if (!keys.some((key) => key.key === state.sort)) state.sort = "order";
  return given;
}

function writeAddress() {
  state.mol = selected ? String(selected.number) : "";
  const kept = Object.entries(state).filter(([name, value]) => value !== DEFAULTS[name]);
  try {
    history.replaceState(null, "", `#${new URLSearchParams(kept)}`);
  } catch { /* an embedded page may have no address of its own */ }
}

// ---- list ----

const chosen = (m) => (state.stars !== "1" || favourites.has(m)) && (state.only !== "1" || !found || found.error || found.hits.has(m));

function refreshList() {
  const before = found;
  found = search(state.sub);
  list = listed(data, keys, state, chosen);
  grid.set({ hits: found?.hits || null, pictures: state.pictures, key: keys.find((key) => key.key === state.sort) });
  grid.show(list);
  const empty = byId("empty");
  empty.hidden = list.length > 0;
  empty.textContent = data.molecules.length ? "No molecule matches." : "The file holds no molecules.";
  document.body.dataset.listed = list.length;
  document.body.dataset.order = list.slice(0, 50).map((m) => m.number).join(" ");
  showCounts();
  showFound();
  if (chartsOpen()) charts.show(list, state.q);
  if (!list.includes(selected)) select(list[0] || null, false);
  else {
    grid.select(selected);
    if (found !== before && selected) redraw();
  }
  writeAddress();
}

const capital = (word) => word[0].toUpperCase() + word.slice(1);

function showCounts() {
  const counts = byId("counts"), all = data.molecules.length;
  const valid = data.molecules.filter(SHOW.valid).length, invalid = data.molecules.filter(SHOW.invalid).length;
  const part = list.length === all ? [] : [make("b", "", String(list.length)), " of "];
  counts.replaceChildren(...part, make("b", "", String(all)), all === 1 ? " molecule" : " molecules");
  const numbers = { all, valid, invalid };
  byId("validity").replaceChildren(...Object.keys(SHOW).map((name) => {
    const button = make("button", "", `${capital(data.words[name] || name)} ${numbers[name]}`);
    button.type = "button";
    button.dataset.value = name;
    button.setAttribute("aria-pressed", String(state.show === name));
    return button;
  }));
  showReasons();
}

/** What the search for a substructure has found, or why it cannot search. */
function showFound() {
  const hits = found ? found.hits.size : 0, many = hits === 1 ? "1 molecule has it" : `${hits.toLocaleString()} molecules have it`;
  const rest = found?.unsearched ? `; ${found.unsearched.toLocaleString()} without bonds or valid valences not searched` : "";
  byId("found").hidden = !found;
  byId("found").textContent = !found ? "" : found.error ? `Substructure: ${found.error}` : many + rest;
  byId("found").classList.toggle("wrong", Boolean(found?.error));
  byId("only").hidden = !found || Boolean(found.error);
  byId("only").setAttribute("aria-pressed", String(state.only === "1"));
  document.body.dataset.found = found ? found.error || hits : "";
  showStars();
}

function showStars() {
  byId("stars").textContent = `★ ${favourites.count()}`;
  byId("stars").setAttribute("aria-pressed", String(state.stars === "1"));
  document.body.dataset.stars = favourites.count();
}

function starsChanged() {
  if (state.stars === "1" && !favourites.count()) state.stars = "0";
  if (state.stars === "1") refreshList();
  else grid.refill();
  showStars();
  if (selected) describe();
}

/** Open unless closed by hand, where there is room and something to compare. */
function chartsOpen() {
  const wide = !matchMedia("(max-width: 860px)").matches && data.molecules.length >= 8;
  const open = charts.count > 0 && (state.charts === "" ? wide : state.charts === "1");
  byId("charts").hidden = !open;
  byId("distributions").hidden = !charts.count;
  byId("distributions").setAttribute("aria-expanded", String(open));
  return open;
}

function showReasons() {
  const kinds = new Map();
  data.molecules.filter(SHOW.invalid).forEach((m) => kinds.set(m.kind, (kinds.get(m.kind) || 0) + 1));
  byId("reasons").hidden = state.show !== "invalid" || kinds.size < 2;
  byId("reasons").replaceChildren(...[...kinds].sort((a, b) => b[1] - a[1]).map(([kind, count]) => {
    const button = make("button", "", `${kind} ${count}`);
    button.type = "button";
    button.setAttribute("aria-pressed", String(state.kind === kind));
    button.addEventListener("click", () => { state.kind = state.kind === kind ? "" : kind; refreshList(); });
    return button;
  }));
}

// ---- selection ----

function select(m, byHand) {
  selected = m;
  const card = grid.select(m), mol = m && solidOf(m), frames = m ? solidFrames(m) : [];
  byId("stage").classList.toggle("two", Boolean(m?.predicted)); // before the scene fits the molecule
  scene.draw(mol || (frames.length ? frames[frames.length - 1] : null), frames.length ? roomFor(mol, frames) : 1);
  const note = byId("stage-note");
  note.replaceChildren();
  byId("stage").classList.toggle("flat", !mol && !frames.length);
  if (m && !mol && !frames.length) note.append(m.svg ? drawingOf(m, found?.hits.get(m)) : make("span", "", m.elements ? "no coordinates" : "this record could not be read"));
  byId("hover").textContent = "";
  player.load(frames, m ? solidFrames(m, "predicted") : [], mol);
  describe();
  document.body.dataset.selected = m ? m.number : "";
  document.body.dataset.atoms = scene.atoms();
  if (!byHand) return;
  card?.scrollIntoView({ block: "nearest" });
  if (matchMedia("(max-width: 860px)").matches) byId("panel").scrollIntoView({ block: "start" });
  writeAddress();
}

/** The molecule as a solid, with what the search has found in it. */
function solidOf(m) {
  const mol = solid(m), hits = found?.hits.get(m);
  return mol && { ...mol, hits: hits ? [...new Set(hits.flat())] : [] };
}

function describe() {
  const unmeasured = data.figures && selected?.elements && !selected.figures ? "not in the table of figures" : "";
  const more = { star: selected && star(selected), hits: selected && found?.hits.get(selected), unmeasured };
  showDetails(byId("details"), selected, keys, step, data.words, more);
}

/** Show the selected molecule as it was, with other matches. */
function redraw() {
  if (!player.loaded() && selected.xyz) scene.draw(solidOf(selected));
  else if (!player.loaded()) select(selected, false);
  describe();
}

function step(by) {
  if (!list.length) return;
  const at = Math.max(0, list.indexOf(selected));
  select(list[Math.min(list.length - 1, Math.max(0, at + by))], true);
}

// ---- controls ----

function pressed(group, value) {
  for (const button of byId(group).children) button.setAttribute("aria-pressed", String(button.dataset.value === value));
}

function setStyle(name) {
  state.style = name;
  pressed("style", name);
  scene.option("style", name);
  second?.option("style", name);
  writeAddress();
}

function setSwitch(name, on) {
  state[name] = on ? "1" : "0";
  byId(name).setAttribute("aria-pressed", String(on));
  scene.option(name, on);
  if (name !== "spin") second?.option(name, on); // it turns with the first
  document.body.dataset.atoms = scene.atoms();
  writeAddress();
}

function setPictures(value) {
  state.pictures = value === "3d" ? "3d" : "2d";
  pressed("pictures", state.pictures);
  grid.set({ pictures: state.pictures });
  grid.refill();
  writeAddress();
}

function showOrder() {
  byId("order").textContent = state.order === "desc" ? "↓" : "↑";
  byId("sort").value = state.sort;
}

function fillSort() {
  for (const group of ["Molecule", "Properties", "Evaluation", "Tags"]) {
    const box = make("optgroup");
    box.label = group;
    keys.filter((key) => key.group === group).forEach((key) => box.append(new Option(key.label, key.key)));
    if (box.children.length) byId("sort").append(box);
  }
}

function listenToControls() {
  byId("search").addEventListener("input", () => { state.q = byId("search").value; refreshList(); });
  byId("sub").addEventListener("input", () => { state.sub = byId("sub").value; refreshList(); });
  byId("only").addEventListener("click", () => { state.only = state.only === "1" ? "0" : "1"; refreshList(); });
  byId("stars").addEventListener("click", () => { state.stars = state.stars === "1" ? "0" : "1"; refreshList(); });
  byId("distributions").addEventListener("click", () => { state.charts = byId("charts").hidden ? "1" : "0"; refreshList(); });
  byId("sort").addEventListener("change", () => { state.sort = byId("sort").value; refreshList(); });
  byId("order").addEventListener("click", () => { state.order = state.order === "asc" ? "desc" : "asc"; showOrder(); refreshList(); });
  byId("validity").addEventListener("click", ({ target }) => {
    if (target.dataset.value) { [state.show, state.kind] = [target.dataset.value, ""]; refreshList(); }
  });
  byId("pictures").addEventListener("click", ({ target }) => { if (target.dataset.value) setPictures(target.dataset.value); });
  byId("style").addEventListener("click", ({ target }) => { if (target.dataset.value) setStyle(target.dataset.value); });
  for (const name of ["hydrogens", "labels", "spin"]) byId(name).addEventListener("click", () => setSwitch(name, state[name] !== "1"));
  byId("export").addEventListener("click", () => saveList(list, false));
  byId("export-smiles").addEventListener("click", () => saveList(list, true));
}

const KEYS = {
  ArrowLeft: () => step(-1), ArrowRight: () => step(1),
  ArrowUp: () => step(-grid.columns()), ArrowDown: () => step(grid.columns()),
  Home: () => step(-Infinity), End: () => step(Infinity),
  s: () => selected && (favourites.toggle(selected), starsChanged()),
  "/": () => byId("search").focus(), " ": () => player.toggle(),
  1: () => setStyle("ball"), 2: () => setStyle("stick"), 3: () => setStyle("sphere"),
  h: () => setSwitch("hydrogens", state.hydrogens !== "1"), l: () => setSwitch("labels", state.labels !== "1"),
  r: () => setSwitch("spin", state.spin !== "1"), c: () => selected?.smiles && copyText(selected.smiles),
};

/** Apply the address to the page: at the start, and when the user edits it. */
function applyAddress() {
  Object.assign(state, DEFAULTS);
  const given = readAddress();
  byId("search").value = state.q;
  byId("sub").value = state.sub;
  selected = data.molecules[Number(state.mol) - 1] || null;
  pressed("pictures", state.pictures);
  showOrder();
  for (const name of ["hydrogens", "labels", "spin"]) {
    byId(name).setAttribute("aria-pressed", String(state[name] === "1"));
    scene.option(name, state[name] === "1");
  }
  pressed("style", state.style);
  scene.option("style", state.style);
  found = search(state.sub); // so that the list draws nothing twice
  refreshList();
  if (selected) select(selected, false);
  if (given.has("frame")) player.seek(Number(given.get("frame")));
  if (given.get("play") === "1") player.play();
}

const left = data.total - data.molecules.length;
byId("notice").hidden = left < 1;
byId("notice").textContent = `Showing the first ${data.molecules.length.toLocaleString()} of ${data.total.toLocaleString()} molecules; the page leaves out ${left.toLocaleString()} to stay light.`;
byId("pictures").hidden = !data.molecules.some((m) => m.xyz);
byId("rule").textContent = `${capital(data.words.valid)} means: ${data.rule}`;
fillSort();
listenToControls();
window.addEventListener("hashchange", applyAddress);
applyAddress();
start(scene, KEYS);
