// The stage beside a list, of pages that show a structure: viewer, colours, key, switches, rows.

const FOLD = "#b9c4d3", NEUTRAL = "#9aa5b4";

/** A viewer of 3Dmol; null where the browser shows no 3D graphics. */
function makeViewer(host) {
  return hasWebgl() ? $3Dmol.createViewer(host, { backgroundAlpha: 0, antialias: true }) : null;
}

/** The scene that make(viewer) gives; null, with a note on the stage, where there is no viewer. */
function makeStage(make) {
  const viewer = makeViewer(byId("scene"));
  if (viewer) return make(viewer);
  byId("stage-note").textContent = "This browser shows no 3D graphics (WebGL).";
  return null;
}

const elementOf = (atom) => (atom.elem.length === 2 ? atom.elem[0] + atom.elem[1].toLowerCase() : atom.elem);
/** Colours by element, carbon in one of its own, so that molecules are told apart: a colour, or a function of the atom. */
const byElement = (carbon) => ({ colorfunc: (atom) => (atom.elem !== "C" ? colourOf(elementOf(atom)) : carbon instanceof Function ? carbon(atom) : carbon) });

const hover = (text) => { byId("hover").textContent = text; };
const nameOfAtom = (atom) => `${atom.resn} ${atom.chain}:${atom.resi}${(atom.icode || "").trim()} ${atom.atom}`;
/** Say which atom of a model or viewer is under the pointer. */
function nameOnHover(shown, name = nameOfAtom) {
  shown.setHoverable({}, true, (atom) => hover(name(atom)), () => hover(""));
}

/** Add an entry to the key of the scene: a dot of a colour, or a dash. */
function addKey(text, colour, dash = false) {
  const item = byId("key").appendChild(make("span", "", text));
  item.insertBefore(make("i", dash ? "dash" : ""), item.firstChild).style[dash ? "color" : "background"] = colour;
}

/** Buttons that turn something on and off: state holds what is on, changed(name) acts on it. Returns toggle(name). */
function makeSwitches(state, changed) {
  const press = (name) => byId(name).setAttribute("aria-pressed", String(state[name]));
  function toggle(name) {
    state[name] = !state[name];
    press(name);
    changed(name);
  }
  Object.keys(state).forEach((name) => {
    press(name);
    byId(name).addEventListener("click", () => toggle(name));
  });
  return toggle;
}

/** Fill the list: columns by their headings, with the class of their cells. */
function fillList(columns, rows) {
  const head = make("tr");
  head.append(...Object.entries(columns).map(([text, kind]) => make("th", kind, text)));
  byId("poses").tHead.replaceChildren(head);
  byId("poses").tBodies[0].replaceChildren(...rows);
}

/** Mark one row of a table, or with null none. */
function markRow(id, chosen) {
  [...byId(id).tBodies[0].rows].forEach((row, k) => row.setAttribute("aria-selected", String(k === chosen)));
}
