// What a page is about, and where its errors go: what all pages share.

const byId = (id) => document.getElementById(id);
const report = (message) => { document.body.dataset.error = String(message); };
window.addEventListener("error", (event) => report(event.message));
window.addEventListener("unhandledrejection", (event) => report(event.reason));
document.addEventListener("securitypolicyviolation", (event) => report(`blocked: ${event.blockedURI || event.violatedDirective}`));

const data = JSON.parse(byId("data").textContent);
byId("licences").addEventListener("click", () => byId("licence").showModal());
data.notes?.forEach((note) => byId("notes").append(make("li", "", note)));

/** Add an entry to the key of the scene: a dot of a colour, or a dash. */
function addKey(text, colour, dash = false) {
  const item = byId("key").appendChild(make("span", "", text));
  item.insertBefore(make("i", dash ? "dash" : ""), item.firstChild).style[dash ? "color" : "background"] = colour;
}
