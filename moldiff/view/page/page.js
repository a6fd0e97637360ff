// What a page is about, and where its errors go: what all pages share.

const byId = (id) => document.getElementById(id);
const report = (message) => { document.body.dataset.error = String(message); };
window.addEventListener("error", (event) => report(event.message));
window.addEventListener("unhandledrejection", (event) => report(event.reason));
document.addEventListener("securitypolicyviolation", (event) => report(`blocked: ${event.blockedURI || event.violatedDirective}`));

const data = JSON.parse(byId("data").textContent);
byId("licences").addEventListener("click", () => byId("licence").showModal());
data.notes?.forEach((note) => byId("notes").append(make("li", "", note)));

/** Call what a pressed key stands for: not where text is typed, nor with a modifier. */
function listenToKeys(keys) {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.activeElement?.blur();
    const busy = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) || (event.key === " " && event.target.tagName === "BUTTON");
    if (busy || event.ctrlKey || event.metaKey || event.altKey || byId("licence").open || !keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
}

/** Begin to listen, once all is drawn; without a scene there is no view to reset. */
function start(scene, keys) {
  const reset = () => scene?.reset();
  byId("reset").addEventListener("click", reset);
  listenToKeys({ 0: reset, ...keys });
  document.body.dataset.scene = scene ? scene.kind : "none";
  document.body.dataset.ready = "true";
}
