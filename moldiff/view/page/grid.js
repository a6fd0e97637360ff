// The list: what is searched, filtered and sorted, and the cards, filled when they come into sight.

/** Element with a class and text; text never becomes markup. */
function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== "") element.textContent = text;
  return element;
}

/** Keys to sort by: the record itself, computed columns, tags of the file. */
function sortKeys(data) {
  const tags = new Set(data.molecules.flatMap((m) => Object.keys(m.tags)));
  const used = data.columns.filter((c) => data.molecules.some((m) => m.properties && c.key in m.properties));
  return named([
    { group: "Molecule", key: "order", label: "File order", of: (m) => m.number },
    { group: "Molecule", key: "name", label: "Name", of: (m) => m.name },
    { group: "Molecule", key: "smiles", label: "SMILES", of: (m) => m.smiles },
    { group: "Molecule", key: "formula", label: "Formula", of: (m) => m.formula },
    { group: "Molecule", key: "validity", label: "Validity", of: (m) => (m.valid === null ? 1 : m.valid ? 0 : 2) },
    ...used.map((c) => ({ group: "Properties", ...c, of: (m) => m.properties?.[c.key] })),
    ...figureKeys(data),
    ...[...tags].map((t) => ({ group: "Tags", key: `tag:${t}`, label: t, tag: t, of: (m) => numeric(m.tags[t]) })),
  ]);
}

/** The keys with names that a search can read: "IC50(nM)" is IC50_nM; one that is taken gets a number. */
function named(keys) {
  const taken = new Set();
  return keys.map((key) => {
    const plain = (key.tag || key.key).replace(/[^\p{L}\p{N}_.:-]+/gu, "_").replace(/(.)_+$/u, "$1") || "column";
    let name = plain;
    for (let k = 2; taken.has(name.toLowerCase()); k++) name = `${plain}_${k}`;
    taken.add(name.toLowerCase());
    return { ...key, name };
  });
}

/** What was measured of the molecules elsewhere, as keys. */
function figureKeys(data) {
  const about = (c) => (c.key === "novel" && data.figures.reference ? `Novel to ${data.figures.reference}` : c.label);
  return (data.figures?.columns || []).map((c) => ({ group: "Evaluation", ...c, label: about(c), of: (m) => m.figures?.[c.key] }));
}

const numeric = (text) => (text !== undefined && text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text);

/** Numbers before words, nothing last whichever the direction. */
function compare(a, b, direction) {
  const [noA, noB] = [a === undefined || a === null || a === "", b === undefined || b === null || b === ""];
  if (noA || noB) return noA - noB;
  if (typeof a === "number" && typeof b === "number") return direction * (a - b);
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return direction * a.localeCompare(b, undefined, { numeric: true });
}

const COMPARISON = /^([\p{L}\p{N}_.:-]+)(<=|>=|<|>|=)(.+)$/u;
const CHARTED = ["Evaluation", "Properties"]; // groups of keys that have histograms
const COMPARE = { "<": (a, b) => a < b, ">": (a, b) => a > b, "<=": (a, b) => a <= b, ">=": (a, b) => a >= b, "=": (a, b) => a === b };

/** A test from a query: every word must be found; key>number compares a property or a tag.
 * special(word) gives the test of a word with a meaning of its own. */
function matcher(query, keys, special = () => undefined) {
  const low = (text) => text.toLowerCase(), byName = new Map(keys.flatMap((k) => [[low(k.key), k], [low(k.label).replace(/\s+/g, ""), k], [low(k.tag || k.key), k]]));
  // the names that the bars of histograms write lead to their own column, whatever else has that label or tag
  keys.filter((k) => k.name && (CHARTED.includes(k.group) || !byName.has(low(k.name)))).forEach((k) => byName.set(low(k.name), k));
  const tests = query.trim().split(/\s+/).filter(Boolean).map((word) => {
    const [, name, sign, value] = word.match(COMPARISON) || [];
    const key = name && byName.get(low(name)), number = Number(value);
    if (key && Number.isFinite(number)) return (m) => { const v = key.of(m); return typeof v === "number" && COMPARE[sign](v, number); };
    if (key && sign === "=" && !key.tag) return (m) => String(key.of(m) ?? "").toLowerCase() === value.toLowerCase();
    const text = low(key?.tag && sign === "=" ? `${key.tag}=${value}` : word);
    return special(word) || ((m) => m.text.includes(text));
  });
  return (m) => tests.every((test) => test(m));
}

/** What a molecule is searched by. */
function searchText(m) {
  const tags = Object.entries(m.tags).map(([key, value]) => `${key}=${value}`);
  Object.entries(m.figures || {}).forEach(([key, value]) => tags.push(`${key}=${value}`));
  return [m.name, m.smiles, m.formula, m.reason, ...tags].filter(Boolean).join("\n").toLowerCase();
}

const SHOW = { all: () => true, valid: (m) => m.valid === true, invalid: (m) => m.valid === false };

/** The molecules to list, in order; keep says what is kept besides. */
function listed(data, keys, state, keep = () => true) {
  const matches = matcher(state.q, keys), key = keys.find((k) => k.key === state.sort) || keys[0];
  const direction = state.order === "desc" ? -1 : 1;
  return data.molecules
    .filter((m) => SHOW[state.show](m) && (!state.kind || m.kind === state.kind) && keep(m) && matches(m))
    .map((m) => ({ m, value: key.of(m) }))
    .sort((a, b) => compare(a.value, b.value, direction) || a.m.number - b.m.number)
    .map((entry) => entry.m);
}

/** A value as text: columns know their digits, tags stay as they were written. */
function display(m, key) {
  const value = key.tag ? m.tags[key.tag] : key.of(m);
  if (value === undefined || value === null) return "";
  return typeof value === "number" && typeof key.digits === "number" ? value.toFixed(key.digits) : String(value);
}

// ---- cards ----

/** The cards; star(m) gives the star of a molecule. */
function makeGrid(grid, pick, star = null) {
  const cards = new Map();
  const state = { pictures: "2d", key: null, hits: null };
  const sight = new IntersectionObserver((entries) => {
    entries.filter((e) => e.isIntersecting).forEach((e) => { sight.unobserve(e.target); fill(e.target); });
  }, { rootMargin: "400px" });

  function cardOf(m) {
    if (!cards.has(m)) {
      const card = make("div", "card");
      card.molecule = m;
      card.id = `card-${m.number}`;
      card.setAttribute("role", "option");
      card.setAttribute("aria-selected", "false");
      card.setAttribute("aria-label", m.name || `Molecule ${m.number}`);
      card.addEventListener("click", () => pick(m));
      card.addEventListener("pointerenter", () => twirl(card));
      cards.set(m, card);
    }
    return cards.get(m);
  }
  function fill(card) {
    const m = card.molecule, picture = make("div", "picture"), caption = make("div", "caption");
    picture.append(pictureOf(m));
    const key = state.key, plain = ["order", "name", "formula", "validity"].includes(key.key);
    caption.append(make("div", "name", m.name || `No. ${m.number}`));
    caption.append(make("div", "value", plain ? m.formula || " " : `${key.label} ${display(m, key) || "–"}${key.unit && display(m, key) ? ` ${key.unit}` : ""}`));
    card.replaceChildren(picture, caption);
    if (star) caption.append(star(m));
    if (m.figures) card.append(...measuredOf(m));
    if (m.valid === false) card.append(make("div", "why", m.reason || "invalid"));
    card.title = [m.name, m.smiles, m.reason].filter(Boolean).join("\n");
  }
  function pictureOf(m) {
    const mol = state.pictures === "3d" && solid(m), hits = state.hits?.get(m);
    if (mol) {
      mol.hits = hits ? hits.flat() : [];
      const canvas = make("canvas");
      [canvas.width, canvas.height] = [360, 270];
      paint(canvas, mol);
      return canvas;
    }
    return m.svg ? drawingOf(m, hits) : make("span", "none", m.elements ? m.undrawn || "no drawing" : "not readable");
  }
  /** A thumbnail turns once while the pointer is on it. */
  function twirl(card) {
    const canvas = card.querySelector("canvas"), mol = canvas && solid(card.molecule);
    if (!mol) return;
    const start = performance.now();
    const step = (now) => {
      const on = card.matches(":hover") && canvas.isConnected;
      paint(canvas, mol, { yaw: 0.35 + (on ? (now - start) / 700 : 0) });
      if (on) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
  return {
    show(molecules) { grid.replaceChildren(...molecules.map(cardOf)); this.refill(); },
    refill() { for (const card of grid.children) { card.replaceChildren(); sight.unobserve(card); sight.observe(card); } },
    set(changes) { Object.assign(state, changes); },
    select(m) {
      grid.querySelector('[aria-selected="true"]')?.setAttribute("aria-selected", "false");
      const card = m && cards.get(m);
      grid.setAttribute("aria-activedescendant", card ? card.id : "");
      card?.setAttribute("aria-selected", "true");
      return card;
    },
    columns: () => getComputedStyle(grid).gridTemplateColumns.split(" ").length,
  };
}

/** RDKit's drawing as an SVG element (Python lets only shapes and numbers into it), with matches marked. */
function drawingOf(m, hits) {
  const holder = make("div");
  holder.innerHTML = m.svg;
  return hits?.length ? markDrawing(holder.firstChild, m, hits) : holder.firstChild;
}

/** What a card tells of what was measured: the energy that relaxing sets free, and what speaks against the molecule. */
function measuredOf(m) {
  const { mmff94_drop: drop, posebusters, posebusters_failed: failed, novel } = m.figures, lines = [];
  const facts = [typeof drop === "number" && `relaxes by ${drop.toFixed(1)} kcal/mol`, novel === "no" && "known"].filter(Boolean);
  if (facts.length) lines.push(make("div", "fact", facts.join(" · ")));
  if (posebusters === "fail" && failed !== "not strictly valid") lines.push(make("div", "why", `PoseBusters: ${String(failed || "").replaceAll("_", " ")}`));
  return lines;
}
