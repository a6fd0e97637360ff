// Values under the pointer, and a page that is read again while the run goes on.
const body = document.body, box = document.getElementById("values");
const charts = [...document.querySelectorAll(".chart")];
const format = (value) => (value === null ? "–" : String(value));

const nearest = (points, step) => {
  let low = 0, high = points.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < step) low = middle + 1; else high = middle;
  }
  return low && step - points[low - 1][0] < points[low][0] - step ? points[low - 1] : points[low];
};

for (const chart of charts) {
  const plot = chart.querySelector(".plot"), end = Number(chart.dataset.end);
  const curves = Object.entries(JSON.parse(chart.dataset.curves));
  const line = plot.appendChild(document.createElement("hr"));
  line.hidden = true;
  const leave = () => { line.hidden = box.hidden = true; };
  plot.addEventListener("pointermove", (event) => {
    const area = plot.getBoundingClientRect();
    const pointed = Math.max(0, Math.min(1, (event.clientX - area.left) / area.width)) * end;
    const step = curves.map(([, points]) => nearest(points, pointed)[0])
      .reduce((a, b) => (Math.abs(b - pointed) < Math.abs(a - pointed) ? b : a));
    const title = document.createElement("b");
    title.textContent = `step ${step.toLocaleString("en")}`;
    box.replaceChildren(title, ...curves.map(([name, points], k) => {
      const row = document.createElement("div"), text = document.createElement("span");
      row.className = `c${k % 8}`;
      text.textContent = `${name} ${format(nearest(points, step)[1])}`;
      row.append(text);
      return row;
    }));
    line.style.left = `${(100 * step) / end}%`;
    line.hidden = box.hidden = false;
    const left = area.left + (area.width * step) / end;
    box.style.left = `${window.scrollX + (left > window.innerWidth / 2 ? left - box.offsetWidth - 10 : left + 10)}px`;
    box.style.top = `${window.scrollY + area.top + 6}px`;
  });
  plot.addEventListener("pointerleave", leave);
  plot.addEventListener("pointercancel", leave);
}

// The browser forgets on reloading whether the configuration was open.
const settings = document.getElementById("settings"), key = "moldiff-settings";
try {
  settings.open = sessionStorage.getItem(key) === "open";
  settings.addEventListener("toggle", () => sessionStorage.setItem(key, settings.open ? "open" : ""));
} catch { /* storage may be forbidden */ }

const ago = (seconds) => seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5400
  ? `${Math.round(seconds / 60)} min` : seconds < 172800
  ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
const tell = () => {
  const written = Number(body.dataset.written) * 1000, age = Math.max(0, Date.now() - written) / 1000;
  const when = new Date(written).toLocaleString();
  document.getElementById("written").textContent = `Written ${when}, ${ago(age)} ago`;
  if (body.dataset.state === "running" && age > 3 * Number(body.dataset.expected) + 120) {
    const notice = document.getElementById("notice");
    notice.textContent = `Nothing new for ${ago(age)}: the run may have been killed. The command that started it goes on from its checkpoint.`;
    notice.hidden = false;
  }
};
tell();
setInterval(tell, 1000);
if (body.dataset.state === "running") {
  setInterval(() => { if (!document.hidden && box.hidden) location.reload(); }, 10000);
}
body.dataset.ready = "true";
