// The page of a completed structure: a list of gaps, the fold, and the ensemble of one gap.

const UNKNOWN = "#16a37b", NEAR = 5;
// Spread in Å up to which a colour stands for it.
const SPREADS = [[0.5, "#2166ac"], [1, "#5aa6d6"], [2, "#e9a23b"], [Infinity, "#c0392b"]];
const colourFor = (spread) => (spread === null ? UNKNOWN : SPREADS.find(([limit]) => spread < limit)[1]);

const placeOf = (chain, number, insertion) => [chain, number, (insertion || "").trim()].join(" ");
const spreads = new Map(data.gaps.flatMap((gap) => gap.residues.map((r) => [placeOf(r.chain, r.number, r.insertion), r])));
const builtAs = (atom) => spreads.get(placeOf(atom.chain, atom.resi, atom.icode));
const switches = { ensemble: true, sidechains: true, around: false };
let selected = 0;

const scene = makeStage((viewer) => {
  const protein = viewer.addModel(data.structure, data.kind === "cif" ? "mcif" : "pdb");
  const colour = (atom) => { const r = builtAs(atom); return r ? colourFor(r.spread) : FOLD; };
  const backbone = new Set(["N", "CA", "C", "O"]);
  let drawn = [];
  const ofGap = (atom) => data.gaps[selected]?.residues.includes(builtAs(atom));
  function refresh() {
    protein.setStyle({}, { cartoon: { colorfunc: colour, thickness: 0.35, opacity: 0.9 } });
    protein.setStyle({ hetflag: true }, { stick: { radius: 0.15 }, sphere: { scale: 0.2 } });
    protein.setStyle({ resn: ["HOH", "WAT", "DOD"] }, {});
    if (switches.around) {
      const near = protein.selectedAtoms({ within: { distance: NEAR, sel: { predicate: ofGap } }, byres: true });
      const serials = new Set(near.map((atom) => atom.serial));
      protein.setStyle({ predicate: (atom) => serials.has(atom.serial) && !builtAs(atom) }, { cartoon: { color: FOLD, opacity: 0.9 }, stick: { radius: 0.1, ...byElement(NEUTRAL) } });
    }
    const shown = (atom) => builtAs(atom) && (switches.sidechains || backbone.has(atom.atom));
    protein.setStyle({ predicate: shown }, { cartoon: { colorfunc: colour, thickness: 0.35 }, stick: { radius: 0.13, ...byElement(colour) } });
    drawn.forEach((model) => viewer.removeModel(model));
    drawn = [];
    if (switches.ensemble && data.gaps[selected]) {
      drawn = data.gaps[selected].ensemble.slice(1).map((text) => {
        const model = viewer.addModel(text, "pdb");
        model.setStyle({}, { stick: { radius: 0.09, colorfunc: (atom) => colourFor(data.gaps[selected].residues[atom.resi - 1].spread), opacity: 0.85 } });
        return model;
      });
    }
    nameOnHover(protein);
    viewer.render();
  }
  function reset() {
    viewer.zoomTo(data.gaps[selected] ? { predicate: ofGap } : {});
    if (data.gaps[selected]) viewer.zoom(0.5);
    viewer.render();
  }
  return { kind: "webgl", refresh, reset };
});

function fill() {
  const rows = data.gaps.map((gap, k) => {
    const row = make("tr");
    row.append(make("td", "words", gap.name), make("td", "words", gap.letters), make("td", "number", gap.mean === null ? "–" : gap.mean.toFixed(2)), make("td", "number", String(gap.ensemble.length)));
    row.addEventListener("click", () => select(k));
    return row;
  });
  data.refused.forEach(({ where, reason }) => {
    const row = make("tr"), cell = make("td", "bad", `not built: ${reason}`);
    cell.colSpan = 3;
    row.append(make("td", "words", where), cell);
    rows.push(row);
  });
  fillList({ Gap: "", Sequence: "", "Spread, Å": "number", Conformations: "number" }, rows);
  byId("empty").hidden = rows.length > 0;
  byId("counts").replaceChildren(make("b", "", String(data.gaps.length)), ` of ${rows.length} built`);
}

function select(k) {
  selected = Math.max(0, Math.min(k, data.gaps.length - 1));
  const gap = data.gaps[selected], box = byId("details");
  markRow("poses", gap ? selected : null);
  box.replaceChildren();
  if (gap) {
    const table = make("table", "contacts");
    gap.residues.forEach((r) => {
      const row = make("tr"), first = make("td", "", `${r.name} ${r.chain}:${r.number}${r.insertion}`);
      first.insertBefore(make("i"), first.firstChild).style.background = colourFor(r.spread);
      row.append(first, make("td", "number", r.spread === null ? "–" : `${r.spread.toFixed(2)} Å`));
      table.append(row);
    });
    box.append(make("p", "none", "Spread is how far a residue's backbone moves in the ensemble. It says how sure the model is, not how right."), table);
  }
  scene?.refresh();
  scene?.reset();
  document.body.dataset.selected = gap ? gap.name : "";
}

const toggle = makeSwitches(switches, () => scene?.refresh());
SPREADS.forEach(([limit, colour], k) => addKey(limit === Infinity ? `spread over ${SPREADS[k - 1][0]} Å` : `under ${limit} Å`, colour));
fill();
select(0);
start(scene, { e: () => toggle("ensemble"), s: () => toggle("sidechains"), a: () => toggle("around"), ArrowUp: () => select(selected - 1), ArrowDown: () => select(selected + 1) });
