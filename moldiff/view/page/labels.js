// Labels over the stage: text at points of the model, moved aside or hidden so that none overlaps.

/** Where a label may stand beside its point, in heights and half widths of itself, best first. */
const ASIDE = [[0, 0], [0, -1.1], [0, 1.1], [1.1, 0], [-1.1, 0], [1.1, -1.1], [-1.1, -1.1], [1.1, 1.1], [-1.1, 1.1], [0, -2.2], [0, 2.2]];

/** Labels in a box over a stage; place(project) puts them where project says their points are. */
function makeLabels(box) {
  let labels = [];
  const free = (mine, taken) => taken.every((other) => Math.abs(mine.x - other.x) * 2 >= mine.w + other.w + 4 || Math.abs(mine.y - other.y) * 2 >= mine.h + other.h + 4);
  return {
    show(entries) {
      labels = entries.map(({ text, point, colour }) => {
        const element = make("span", "tag", text);
        element.style.borderColor = colour;
        return { element, point };
      });
      box.replaceChildren(...labels.map((label) => label.element));
      labels.forEach((label) => Object.assign(label, { w: label.element.offsetWidth, h: label.element.offsetHeight }));
    },
    place(project) {
      const taken = [], { clientWidth: width, clientHeight: height } = box;
      labels.forEach(({ element, point, w, h }) => {
        const at = project(point);
        const inside = at.x >= 0 && at.y >= 0 && at.x <= width && at.y <= height;
        const spots = inside ? ASIDE.map(([right, down]) => ({ x: at.x + (right * w) / 2 + Math.sign(right) * 8, y: at.y + down * h, w, h })) : [];
        const spot = spots.find((mine) => free(mine, taken));
        element.hidden = !spot;
        if (!spot) return;
        taken.push(spot);
        element.style.transform = `translate(${(spot.x - w / 2).toFixed(1)}px, ${(spot.y - h / 2).toFixed(1)}px)`;
      });
    },
  };
}
