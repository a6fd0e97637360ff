// Distributions: a small chart for each property, of all molecules and of those now listed.
// A bar is a button: it writes its range into the search, or takes it out again.

const CHART = { width: 132, height: 46, bars: 12, words: 6 };

/** The bars of a key: { from, to } or { word }, with how many of all molecules each has; null if there is nothing to see. */
function barsOf(key, molecules) {
  const values = molecules.map(key.of).filter((v) => v !== undefined && v !== null && v !== "");
  if (values.every((v) => typeof v === "number")) return rangesOf(values);
  const words = [...new Set(values.map(String))].sort();
  if (key.group !== "Evaluation" || words.length > CHART.words || words.some((w) => /\s/.test(w))) return null;
  return words.map((word) => ({ word }));
}

/** Ranges of a round width that hold all values, the upper end not included. */
function rangesOf(values) {
  const low = Math.min(...values), high = Math.max(...values);
  if (!(high > low)) return null;
  const raw = (high - low) / CHART.bars, power = 10 ** Math.floor(Math.log10(raw));
  const whole = values.every(Number.isInteger);
  const step = Math.max(whole ? 1 : 0, [1, 2, 2.5, 5, 10].map((k) => k * power).find((s) => s >= raw && !(whole && s % 1)) || 10 * power);
  const digits = Math.max(0, Math.ceil(-Math.log10(step)) + 1), tidy = (v) => Number(v.toFixed(digits));
  // a quotient may be rounded over the end of a bar: what counts is the tidy end that values are compared with
  const end = (k) => tidy(k * step);
  let first = Math.floor(low / step), last = Math.floor(high / step);
  if (low < end(first)) first -= 1;
  if (high >= end(last + 1)) last += 1;
  return Array.from({ length: last - first + 1 }, (_, k) => ({ from: end(first + k), to: end(first + k + 1) }));
}

const inBar = (bar, value) => (bar.word === undefined ? typeof value === "number" && value >= bar.from && value < bar.to : String(value) === bar.word);
const wordsOf = (key, bar) => (bar.word === undefined ? [`${key.name}>=${bar.from}`, `${key.name}<${bar.to}`] : [`${key.name}=${bar.word}`]);

function makeCharts(box, molecules, keys, search) {
  const charts = CHARTED
    .flatMap((group) => keys.filter((key) => key.group === group))
    .map((key) => ({ key, bars: barsOf(key, molecules) }))
    .filter((chart) => chart.bars && chart.bars.length > 1);
  charts.forEach((chart) => chart.bars.forEach((bar) => { bar.all = molecules.filter((m) => inBar(bar, chart.key.of(m))).length; }));
  let drawn = "";

  function figureOf({ key, bars }, list, query) {
    const figure = make("figure", "chart"), most = Math.max(...bars.map((bar) => bar.all));
    figure.append(make("figcaption", "", key.unit ? `${key.label}, ${key.unit}` : key.label));
    const row = figure.appendChild(make("div", "bars"));
    row.style.height = `${CHART.height}px`;
    bars.forEach((bar) => {
      const own = list.filter((m) => inBar(bar, key.of(m))).length, words = wordsOf(key, bar);
      const button = row.appendChild(make("button", "bar"));
      button.type = "button";
      button.setAttribute("aria-pressed", String(words.every((word) => query.includes(word))));
      const range = bar.word === undefined ? `${bar.from} to below ${bar.to}` : bar.word;
      button.title = `${key.label} ${range}: ${own === bar.all ? own : `${own} of ${bar.all}`}`;
      button.setAttribute("aria-label", button.title);
      [["all", bar.all], ["own", own]].forEach(([name, count]) => {
        const fill = button.appendChild(make("span", name));
        fill.style.height = `${count ? Math.max(4, (100 * count) / most) : 0}%`;
      });
      button.addEventListener("click", () => search(toggled(key, words)));
    });
    const ends = bars[0].word === undefined ? [bars[0].from, bars[bars.length - 1].to] : bars.map((bar) => bar.word);
    const axis = figure.appendChild(make("div", "axis"));
    ends.forEach((end) => axis.append(make("span", "", String(end))));
    return figure;
  }
  /** A query without this property's words, and with these unless they were there. */
  const toggled = (key, words) => (query) => {
    const given = query.trim().split(/\s+/).filter(Boolean), kept = given.filter((word) => word.match(COMPARISON)?.[1] !== key.name);
    return [...kept, ...(words.every((word) => given.includes(word)) ? [] : words)].join(" ");
  };
  return {
    count: charts.length,
    show(list, query) {
      const state = `${query}\n${list.map((m) => m.number).join(" ")}`;
      if (state === drawn) return;
      drawn = state;
      const given = query.trim().split(/\s+/);
      box.replaceChildren(...charts.map((chart) => figureOf(chart, list, given)));
    },
  };
}
