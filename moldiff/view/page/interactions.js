// Interactions of a pose: what is searched, the legend, the diagram and the table.

const CONTACT_COLOURS = data.colours;
const firstOf = (residue) => residue.replace(/^.*:/, "");
/** How a residue may be written, as for --require: A:ARG611, ARG611, A:611, 611. */
function spellings({ residue, place }) {
  return [residue, firstOf(residue), place, firstOf(place)].map((text) => text.toLowerCase());
}
const lettersOf = (text) => text.toLowerCase().replace(/[^a-z]/g, "");
const kindOf = (text) => Object.keys(data.kinds).find((kind) => [kind, data.kinds[kind]].some((name) => lettersOf(name) === lettersOf(text)));
const allContacts = data.poses.flatMap((m) => m.contacts);
const countOf = (kind) => (m) => m.contacts.filter((contact) => contact.kind === kind).length;

/** A test for a residue as typed so far: itself if there is one, else those that begin so. */
function residueTest(word) {
  const low = word.toLowerCase();
  const exactly = (contact) => spellings(contact).includes(low), begun = (contact) => spellings(contact).some((s) => s.startsWith(low));
  return [exactly, begun].find((test) => allContacts.some(test));
}

/** A test for "hbond", "ARG611" or "A:611:hbond"; undefined for a word that is none of these. */
function interactionTest(word) {
  if (/[<>=]/.test(word)) return undefined;
  const kind = kindOf(word.split(":").pop());
  const rest = kind ? word.split(":").slice(0, -1).join(":") : word;
  if (kind && !rest) return (m) => m.contacts.some((contact) => contact.kind === kind);
  const meant = /[a-z:]/i.test(rest) && /\d/.test(rest) ? residueTest(rest) : undefined; // 12 may be a ligand
  return meant && ((m) => m.contacts.some((contact) => (!kind || contact.kind === kind) && meant(contact)));
}

/** "3 hydrogen bonds" */
function counted(count, kind) {
  const name = data.kinds[kind], bare = ["metal", "hydrophobic", "pi_stacking", "cation_pi"].includes(kind);
  return `${count} ${name}${count === 1 || bare ? "" : kind === "clash" ? "es" : "s"}`;
}

function legendOf(m) {
  const legend = make("div", "legend");
  Object.entries(CONTACT_COLOURS).forEach(([kind, colour]) => {
    const count = countOf(kind)(m);
    if (!count) return;
    const item = legend.appendChild(make("span"));
    item.append(make("i"), counted(count, kind));
    item.firstChild.style.color = colour;
  });
  return legend;
}

/** The diagram as an element (Python lets only shapes, numbers and escaped names into it). */
function diagramOf(m) {
  const box = make("figure", "diagram");
  box.innerHTML = m.diagram;
  return box;
}

function diagramButton(m) {
  const button = make("button", "", "Download diagram (SVG)");
  button.type = "button";
  button.id = "diagram";
  button.addEventListener("click", () => download(`${m.name || "pose"}-${m.number}.svg`, m.diagram, "image/svg+xml"));
  return button;
}

function contactTable(m) {
  const table = make("table", "contacts");
  m.contacts.forEach((contact) => {
    const row = table.appendChild(make("tr"));
    const kind = make("td", "", `${data.kinds[contact.kind]}${contact.role ? ` (${contact.role})` : ""}`);
    const dot = kind.insertBefore(make("i"), kind.firstChild);
    dot.style.background = CONTACT_COLOURS[contact.kind];
    row.append(kind, make("td", "", contact.atom), make("td", "", `${contact.residue} ${contact.name}`));
    row.append(make("td", "number", `${contact.d.toFixed(2)} Å`), make("td", "number", contact.angle === null ? "" : `${contact.angle}°`));
  });
  return table;
}
