// Substructures: molecules as graphs, and where a pattern of smarts.js lies in them.

const MOST_MATCHES = 200; // of a molecule; as many as RDKit is asked for

/** The graph of a molecule without its plain hydrogens; null where RDKit could not sanitise it. */
function graphOf(m) {
  if (!m.rings || !m.elements) return null;
  const n = m.elements.length, all = Array.from({ length: n }, () => []);
  for (let k = 0; 3 * k < m.bonds.length; k++) {
    const [a, b] = [m.bonds[3 * k], m.bonds[3 * k + 1]];
    all[a].push([b, k]);
    all[b].push([a, k]);
  }
  const plain = m.elements.map((e, i) => e === "H" && all[i].length === 1 && m.elements[all[i][0][0]] !== "H" && !m.isotopes[i] && !m.charges[i]);
  const aromaticBonds = {}, ringBond = {};
  m.aromatic.forEach((k) => { aromaticBonds[k] = true; });
  const rings = Array.from({ length: n }, () => []);
  const between = new Map(all.flatMap((ends, i) => ends.map(([j, k]) => [`${i},${j}`, k])));
  m.rings.forEach((ring) => ring.forEach((i, p) => {
    rings[i].push(ring.length);
    ringBond[between.get(`${i},${ring[(p + 1) % ring.length]}`)] = true;
  }));
  const orders = m.bonds.filter((_, k) => k % 3 === 2);
  const implicit = (i) => m.implicit[i] || 0;
  return {
    n, plain, rings, orders, aromaticBonds, ringBond,
    hydrogens: all.map((ends, i) => ends.filter(([j]) => m.elements[j] === "H").length + implicit(i)),
    connected: all.map((ends, i) => ends.length + implicit(i)),
    elements: m.elements, charges: m.elements.map((_, i) => m.charges[i] || 0), isotopes: m.isotopes,
    neighbours: all.map((ends) => ends.filter(([j]) => !plain[j])),
    aromatic: all.map((ends) => ends.some(([, k]) => aromaticBonds[k])),
    valence: all.map((ends, i) => ends.reduce((sum, [, k]) => sum + orders[k], implicit(i))),
    ringBonds: all.map((ends) => ends.filter(([, k]) => ringBond[k]).length),
  };
}

/** Where a pattern lies in a graph: lists of atoms, each set of atoms once. first: the atom of the pattern's first. */
function findMatches(g, pattern, { first = null, most = MOST_MATCHES } = {}) {
  const found = new Map(), placed = [], used = new Set();
  const everywhere = [...Array(g.n).keys()].filter((i) => !g.plain[i]);

  function place(q) {
    if (q === pattern.atoms.length) {
      const key = [...placed].sort((a, b) => a - b).join(" ");
      if (!found.has(key)) found.set(key, [...placed]);
      return found.size >= most;
    }
    const { test, bonds } = pattern.atoms[q];
    const near = bonds.length ? g.neighbours[placed[bonds[0].to]].map(([j]) => j) : q === 0 && first !== null ? [first] : everywhere;
    for (const i of near) {
      if (used.has(i) || !test(g, i) || !bonds.every((bond) => bonded(i, bond))) continue;
      used.add(i);
      placed.push(i);
      const enough = place(q + 1);
      placed.pop();
      used.delete(i);
      if (enough) return true;
    }
    return false;
  }
  function bonded(i, { to, test }) {
    const end = g.neighbours[placed[to]].find(([j]) => j === i);
    return Boolean(end) && test(g, end[1]);
  }
  place(0);
  return [...found.values()];
}

/** Searches all molecules for the pattern typed; remembers graphs, and knows what Python has searched for. */
function makeSearch(data) {
  const graphs = new Map(), known = data.highlight?.pattern;
  const graph = (m) => { if (!graphs.has(m)) graphs.set(m, graphOf(m)); return graphs.get(m); };
  let last = "", result = null;
  return (text) => {
    const pattern = text.trim();
    if (!pattern) return null;
    if (pattern === last) return result;
    last = pattern;
    result = { error: "", hits: new Map(), unsearched: data.molecules.filter((m) => m.elements && !m.rings).length };
    try {
      const query = pattern === known ? null : parsePattern(pattern);
      for (const m of data.molecules) {
        const g = query && graph(m), hits = query ? (g ? findMatches(g, query) : []) : m.hits || [];
        if (hits.length) result.hits.set(m, hits);
      }
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      result.error = error.message;
    }
    return result;
  };
}

/** The drawing of a molecule with the atoms of the matches marked behind it, and bonds between them. */
function markDrawing(svg, m, hits) {
  const places = new Map();
  for (let k = 0; k < m.flat.length; k += 3) places.set(m.flat[k], [m.flat[k + 1], m.flat[k + 2]]);
  const lines = [];
  for (const atoms of hits) {
    const marked = new Set(atoms);
    marked.forEach((i) => places.has(i) && lines.push(`M${places.get(i)}h0`));
    for (let k = 0; k < m.bonds.length; k += 3) {
      const ends = [m.bonds[k], m.bonds[k + 1]];
      if (ends.every((i) => marked.has(i) && places.has(i))) lines.push(`M${places.get(ends[0])}L${places.get(ends[1])}`);
    }
  }
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("class", "hit");
  path.setAttribute("d", [...new Set(lines)].join(""));
  svg.prepend(path);
  return svg;
}
