// Favourites: starred molecules, kept by the browser under the name of these molecules.

function makeFavourites(data) {
  const place = `moldiff favourites ${data.id}`;
  const numbers = new Set(read());
  function read() {
    try {
      const kept = JSON.parse(localStorage.getItem(place));
      return Array.isArray(kept) ? kept.filter((n) => data.molecules[n - 1]) : [];
    } catch { return []; } // a frame of a notebook may keep nothing
  }
  return {
    has: (m) => numbers.has(m.number),
    count: () => numbers.size,
    toggle(m) {
      if (!numbers.delete(m.number)) numbers.add(m.number);
      try {
        localStorage.setItem(place, JSON.stringify([...numbers]));
      } catch { /* then they last as long as the page */ }
    },
  };
}

/** The star of a molecule, a button. */
function starOf(m, favourites, changed) {
  const star = make("button", "star");
  star.type = "button";
  star.tabIndex = -1; // the key s does it, and a list of a thousand stars is no place to tab through
  const show = () => {
    const on = favourites.has(m);
    star.textContent = on ? "★" : "☆";
    star.setAttribute("aria-pressed", String(on));
    star.setAttribute("aria-label", `${on ? "No favourite" : "Favourite"}: ${m.name || `molecule ${m.number}`}`);
    star.title = on ? "No favourite any more (s)" : "Favourite (s)";
  };
  star.addEventListener("click", (event) => { event.stopPropagation(); favourites.toggle(m); show(); changed(); });
  show();
  return star;
}
