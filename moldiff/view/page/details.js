// The text beside the 3D view: who the molecule is, why it is invalid, properties, tags, files.

const VERDICTS = new Map([[true, ["valid", "badge good"]], [false, ["invalid", "badge bad"]], [null, ["not judged", "badge"]]]);

/** more: hits to mark in the drawing, a star, why there are no figures. */
function showDetails(box, m, keys, step, words = {}, more = {}) {
  box.replaceChildren();
  if (!m) return;
  const title = titleOf(m, step, words);
  if (more.star) title.prepend(more.star);
  box.append(title);
  if (m.reason) box.append(make("p", "reason", m.reason));
  if (m.guessed) box.append(make("p", "reason", "The file has no bonds: those shown are guessed from distances."));
  if (m.undrawn) box.append(make("p", "reason", m.undrawn));
  if (m.smiles) box.append(smilesOf(m));
  const drawn = m.svg && m.xyz; // without coordinates the stage shows the drawing
  const row = make("div", drawn ? "row" : "row single");
  if (drawn) row.append(drawingOf(m, more.hits));
  row.append(tableOf(m, keys, more.unmeasured));
  box.append(row, actionsOf(m));
  box.scrollTop = 0;
}

function titleOf(m, step, words = {}) {
  const title = make("div", "title");
  const [word, badge] = VERDICTS.get(m.valid);
  title.append(make("h2", "", m.name || `Molecule ${m.number}`), make("span", badge, words[word] || word));
  [["←", -1, "Previous molecule"], ["→", 1, "Next molecule"]].forEach(([text, by, hint]) => {
    const button = title.appendChild(make("button", "", text));
    button.type = "button";
    button.title = hint;
    button.setAttribute("aria-label", hint);
    button.addEventListener("click", () => step(by));
  });
  return title;
}

function smilesOf(m) {
  const line = make("div", "smiles"), button = make("button", "", "Copy");
  button.type = "button";
  button.title = "Copy the SMILES (c)";
  button.addEventListener("click", async () => {
    button.textContent = (await copyText(m.smiles)) ? "Copied" : "Select it";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  line.append(make("code", "", m.smiles), button);
  return line;
}

/** Copy by the clipboard; by a selection where the page may not use it (file://, frames). */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.body.appendChild(make("textarea"));
    area.value = text;
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

function tableOf(m, keys, unmeasured = "") {
  const table = make("dl");
  const add = (label, value) => { if (value !== "") table.append(make("dt", "", label), make("dd", "", value)); };
  add("Formula", m.formula || "");
  add("Atoms", m.elements ? String(m.elements.length) : "");
  keys.filter((key) => key.group === "Properties").forEach((key) => add(key.label, display(m, key)));
  add("Trajectory", m.frames ? `${m.frames.length} frames` : "");
  add("Number", String(m.number));
  const figures = keys.filter((key) => key.group === "Evaluation" && display(m, key) !== "");
  if (figures.length || unmeasured) table.append(make("div", "gap"));
  figures.forEach((key) => add(key.label, `${display(m, key).replaceAll("_", " ")}${key.unit ? ` ${key.unit}` : ""}`));
  add("Not measured", m.figures?.notes || unmeasured);
  const tags = Object.entries(m.tags).filter(([key, value]) => key !== "SMILES" || value !== m.smiles);
  if (!tags.length) return table;
  const fields = make("details", "fields"), rows = make("dl");
  fields.append(make("summary", "", tags.length === 1 ? "1 data field" : `${tags.length} data fields`), rows);
  fields.open = !matchMedia("(max-width: 860px)").matches; // there the cards come after them
  tags.forEach(([key, value]) => rows.append(make("dt", "", key), make("dd", "", value)));
  table.append(make("div", "gap"), fields);
  return table;
}

function actionsOf(m) {
  const actions = make("div", "actions"), file = fileOf(m);
  if (!file) return actions;
  const button = actions.appendChild(make("button", "", `Download ${file.suffix.toUpperCase()}`));
  button.type = "button";
  button.id = "download";
  button.addEventListener("click", () => download(`${m.name || `molecule-${m.number}`}.${file.suffix}`, file.text));
  return actions;
}
