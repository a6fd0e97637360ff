// The page: state, its copy in the address (#mol=3&sort=qed&order=desc&play=1), events, keyboard.

const byId = (id) => document.getElementById(id);
const report = (message) => { document.body.dataset.error = String(message); };
window.addEventListener("error", (event) => report(event.message));
window.addEventListener("unhandledrejection", (event) => report(event.reason));
document.addEventListener("securitypolicyviolation", (event) => report(`blocked: ${event.blockedURI || event.violatedDirective}`));

const data = JSON.parse(byId("data").textContent);
data.molecules.forEach((m, i) => { m.number = i + 1; m.text = searchText(m); });
const keys = sortKeys(data);
const DEFAULTS = { mol: "", q: "", show: "all", kind: "", sort: "order", order: "asc", pictures: "2d", style: "ball", hydrogens: "1", labels: "0", spin: "0" };
const state = { ...DEFAULTS };
let list = [], selected = null;

const scene = makeScene(byId("scene"), (text) => { byId("hover").textContent = text; });
const grid = makeGrid(byId("grid"), (m) => select(m, true));
const player = makePlayer();

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

function refreshList() {
  list = listed(data, keys, state);
  grid.set({ pictures: state.pictures, key: keys.find((key) => key.key === state.sort) });
  grid.show(list);
  const empty = byId("empty");
  empty.hidden = list.length > 0;
  empty.textContent = data.molecules.length ? "No molecule matches." : "The file holds no molecules.";
  document.body.dataset.listed = list.length;
  document.body.dataset.order = list.slice(0, 50).map((m) => m.number).join(" ");
  showCounts();
  if (!list.includes(selected)) select(list[0] || null, false);
  else grid.select(selected);
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
  const card = grid.select(m), mol = m && solid(m), frames = m ? solidFrames(m) : [];
  scene.draw(mol || (frames.length ? frames[frames.length - 1] : null), frames.length ? roomFor(mol, frames) : 1);
  const note = byId("stage-note");
  note.replaceChildren();
  byId("stage").classList.toggle("flat", !mol && !frames.length);
  if (m && !mol && !frames.length) note.append(m.svg ? drawingOf(m) : make("span", "", m.elements ? "no coordinates" : "this record could not be read"));
  byId("hover").textContent = "";
  player.load(frames, mol);
  showDetails(byId("details"), m, keys, step, data.words);
  document.body.dataset.selected = m ? m.number : "";
  document.body.dataset.atoms = scene.atoms();
  if (!byHand) return;
  card?.scrollIntoView({ block: "nearest" });
  if (matchMedia("(max-width: 860px)").matches) byId("panel").scrollIntoView({ block: "start" });
  writeAddress();
}

/** Zoom that keeps a trajectory in sight: noise is wider than the molecule it becomes. */
function roomFor(mol, frames) {
  const spread = (solidOne) => Math.max(1, ...solidOne.points.map((p) => Math.hypot(...p)));
  const final = spread(mol || frames[frames.length - 1]);
  return Math.max(0.75, Math.min(1, final / Math.max(...frames.map(spread))));
}

function step(by) {
  if (!list.length) return;
  const at = Math.max(0, list.indexOf(selected));
  select(list[Math.min(list.length - 1, Math.max(0, at + by))], true);
}

// ---- trajectory ----

function makePlayer() {
  const SECONDS = 4, slider = byId("frame");
  let frames = [], final = null, playing = false, clock = 0, last = 0;

  function show(index) {
    slider.value = index;
    const frame = frames[index];
    scene.draw(index === frames.length - 1 && final ? final : frame);
    byId("time").textContent = `${index + 1}/${frames.length}${Number.isFinite(frame.t) ? `  t = ${frame.t.toFixed(2)}` : ""}`;
    document.body.dataset.frame = index;
    document.body.dataset.atoms = scene.atoms();
  }
  function set(on) {
    playing = on && frames.length > 1;
    byId("play").textContent = playing ? "❚❚" : "▶";
    byId("play").setAttribute("aria-label", playing ? "Pause" : "Play");
    document.body.dataset.playing = playing;
    if (!playing) return;
    clock = Number(slider.value) >= frames.length - 1 ? 0 : Number(slider.value) / (frames.length - 1) * SECONDS;
    last = 0;
    requestAnimationFrame(tick);
  }
  function tick(now) {
    if (!playing) return;
    clock += last ? Math.min(0.1, (now - last) / 1000) * Number(byId("speed").value) : 0;
    last = now;
    if (clock > SECONDS + 1.2) clock = 0; // rest on the finished molecule, then again
    const index = Math.min(frames.length - 1, Math.floor(clock / SECONDS * frames.length));
    if (index !== Number(slider.value)) show(index);
    requestAnimationFrame(tick);
  }
  byId("play").addEventListener("click", () => set(!playing));
  slider.addEventListener("input", () => { set(false); show(Number(slider.value)); });
  return {
    load(next, mol) {
      set(false);
      [frames, final] = [next, mol];
      byId("player").hidden = !frames.length;
      slider.max = Math.max(0, frames.length - 1);
      if (frames.length) show(frames.length - 1);
    },
    toggle: () => set(!playing), play: () => set(true),
    seek: (index) => { if (frames[index]) { set(false); show(index); } },
  };
}

// ---- controls ----

function pressed(group, value) {
  for (const button of byId(group).children) button.setAttribute("aria-pressed", String(button.dataset.value === value));
}

function setStyle(name) {
  state.style = name;
  pressed("style", name);
  scene.option("style", name);
  writeAddress();
}

function setSwitch(name, on) {
  state[name] = on ? "1" : "0";
  byId(name).setAttribute("aria-pressed", String(on));
  scene.option(name, on);
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
  for (const group of ["Molecule", "Properties", "Tags"]) {
    const box = make("optgroup");
    box.label = group;
    keys.filter((key) => key.group === group).forEach((key) => box.append(new Option(key.label, key.key)));
    if (box.children.length) byId("sort").append(box);
  }
}

/** Save the list in the one format all its molecules share: SDF, else XYZ, else SMILES. */
function saveList() {
  const files = list.map(fileOf).filter(Boolean);
  const suffix = ["sdf", "xyz", "smi"].find((s) => files.some((file) => file.suffix === s));
  if (suffix) download(`molecules.${suffix}`, files.filter((file) => file.suffix === suffix).map((file) => file.text).join(""));
}

function listenToControls() {
  byId("search").addEventListener("input", () => { state.q = byId("search").value; refreshList(); });
  byId("sort").addEventListener("change", () => { state.sort = byId("sort").value; refreshList(); });
  byId("order").addEventListener("click", () => { state.order = state.order === "asc" ? "desc" : "asc"; showOrder(); refreshList(); });
  byId("validity").addEventListener("click", ({ target }) => {
    if (target.dataset.value) { [state.show, state.kind] = [target.dataset.value, ""]; refreshList(); }
  });
  byId("pictures").addEventListener("click", ({ target }) => { if (target.dataset.value) setPictures(target.dataset.value); });
  byId("style").addEventListener("click", ({ target }) => { if (target.dataset.value) setStyle(target.dataset.value); });
  for (const name of ["hydrogens", "labels", "spin"]) byId(name).addEventListener("click", () => setSwitch(name, state[name] !== "1"));
  byId("reset").addEventListener("click", () => scene.reset());
  byId("export").addEventListener("click", saveList);
  byId("licences").addEventListener("click", () => byId("licence").showModal());
}

const KEYS = {
  ArrowLeft: () => step(-1), ArrowRight: () => step(1),
  ArrowUp: () => step(-grid.columns()), ArrowDown: () => step(grid.columns()),
  Home: () => step(-Infinity), End: () => step(Infinity),
  "/": () => byId("search").focus(), " ": () => player.toggle(),
  1: () => setStyle("ball"), 2: () => setStyle("stick"), 3: () => setStyle("sphere"), 0: () => scene.reset(),
  h: () => setSwitch("hydrogens", state.hydrogens !== "1"), l: () => setSwitch("labels", state.labels !== "1"),
  r: () => setSwitch("spin", state.spin !== "1"), c: () => selected?.smiles && copyText(selected.smiles),
};

function onKey(event) {
  if (event.key === "Escape") document.activeElement?.blur();
  const busy = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || (event.key === " " && event.target.tagName === "BUTTON");
  if (busy || event.ctrlKey || event.metaKey || event.altKey || byId("licence").open || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
}

/** Apply the address to the page: at the start, and when the user edits it. */
function applyAddress() {
  Object.assign(state, DEFAULTS);
  const given = readAddress();
  byId("search").value = state.q;
  selected = data.molecules[Number(state.mol) - 1] || null;
  pressed("pictures", state.pictures);
  showOrder();
  for (const name of ["hydrogens", "labels", "spin"]) {
    byId(name).setAttribute("aria-pressed", String(state[name] === "1"));
    scene.option(name, state[name] === "1");
  }
  pressed("style", state.style);
  scene.option("style", state.style);
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
document.addEventListener("keydown", onKey);
window.addEventListener("hashchange", applyAddress);
applyAddress();
document.body.dataset.scene = scene.kind;
document.body.dataset.ready = "true";
