// What the page of docked poses is about, and where its errors go.

const byId = (id) => document.getElementById(id);
const report = (message) => { document.body.dataset.error = String(message); };
window.addEventListener("error", (event) => report(event.message));
window.addEventListener("unhandledrejection", (event) => report(event.reason));
document.addEventListener("securitypolicyviolation", (event) => report(`blocked: ${event.blockedURI || event.violatedDirective}`));

const data = JSON.parse(byId("data").textContent);
