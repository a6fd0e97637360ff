// A small painter for 2D canvases: 3D thumbnails, and the stage where WebGL is missing.

const shades = new Map();

/** The colour mixed with white (amount > 0) or black (amount < 0). */
function shade(hex, amount) {
  const key = hex + amount;
  if (!shades.has(key)) {
    const target = amount > 0 ? 255 : 0, share = Math.abs(amount);
    const parts = [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
    shades.set(key, `rgb(${parts.map((v) => Math.round(v + (target - v) * share)).join(" ")})`);
  }
  return shades.get(key);
}

const PAINT_STYLES = {
  ball: { atom: (e) => 0.27 * bulkRadius(e), bond: 0.13 },
  stick: { atom: () => 0.21, bond: 0.15 },
  sphere: { atom: (e) => bulkRadius(e), bond: 0 },
};

/** Points turned by yaw about y, then pitch about x. */
function turned(points, yaw, pitch) {
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  return points.map(([x, y, z]) => {
    const [u, w] = [cy * x + sy * z, cy * z - sy * x];
    return [u, cp * y - sp * w, sp * y + cp * w];
  });
}

/** Pixels per Å that fit the molecule, however it is turned about y. */
function fittingScale(canvas, mol, radius) {
  let wide = 1, high = 1;
  mol.points.forEach(([x, y, z], i) => {
    const r = radius(mol.elements[i]);
    wide = Math.max(wide, Math.hypot(x, z) + r);
    high = Math.max(high, Math.abs(y) + r);
  });
  return 0.92 * Math.min(canvas.width / (2 * wide), canvas.height / (2 * high), canvas.height / 5.5);
}

/** Paint a solid on a canvas, back to front. */
function paint(canvas, mol, { yaw = 0.35, pitch = 0.25, style = "ball", zoom = 1, scale = 0 } = {}) {
  const context = canvas.getContext("2d"), look = PAINT_STYLES[style];
  const points = turned(mol.points, yaw, pitch);
  const unit = (scale || fittingScale(canvas, mol, look.atom)) * zoom;
  const at = (p) => [canvas.width / 2 + unit * p[0], canvas.height / 2 - unit * p[1]];
  const things = points.map((p, i) => ({ z: p[2], draw: () => paintAtom(context, at(p), unit * look.atom(mol.elements[i]), mol, i) }));
  for (let k = 0; look.bond && k < mol.bonds.length; k += 3) {
    const [a, b, order] = mol.bonds.slice(k, k + 3);
    const z = (points[a][2] + points[b][2]) / 2 - 0.01;
    const ends = [at(points[a]), at(points[b])], colours = [colourOf(mol.elements[a]), colourOf(mol.elements[b])];
    things.push({ z, draw: () => paintBond(context, ends, colours, order > 3 ? 1 : order, unit * look.bond) });
  }
  context.clearRect(0, 0, canvas.width, canvas.height);
  things.sort((one, two) => one.z - two.z).forEach((thing) => thing.draw());
}

function paintAtom(context, [x, y], radius, mol, i) {
  const colour = colourOf(mol.elements[i]);
  const light = context.createRadialGradient(x - radius * 0.35, y - radius * 0.4, radius * 0.1, x, y, radius);
  light.addColorStop(0, shade(colour, 0.6));
  light.addColorStop(0.45, colour);
  light.addColorStop(1, shade(colour, -0.38));
  context.fillStyle = light;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
  const problem = mol.problem.includes(i);
  const hit = mol.hits.includes(i);
  if (problem || hit || mol.kept.includes(i)) {
    context.strokeStyle = problem ? "#e5484d" : hit ? "rgb(224 148 0 / 70%)" : "rgb(47 98 217 / 45%)";
    context.lineWidth = Math.max(2, radius * 0.25);
    context.beginPath();
    context.arc(x, y, radius * 1.45, 0, 2 * Math.PI);
    context.stroke();
  }
}

function paintBond(context, [[ax, ay], [bx, by]], colours, order, width) {
  const length = Math.hypot(bx - ax, by - ay) || 1;
  const [nx, ny] = [-(by - ay) / length, (bx - ax) / length];
  const stroke = order > 1 ? width * 0.85 : width * 1.5, gap = width * 1.5;
  const [mx, my] = [(ax + bx) / 2, (ay + by) / 2];
  for (let k = 0; k < order; k++) {
    const shift = (k - (order - 1) / 2) * gap;
    [[ax, ay, colours[0]], [bx, by, colours[1]]].forEach(([x, y, colour]) => {
      context.strokeStyle = shade(colour, -0.18);
      context.lineWidth = stroke;
      context.beginPath();
      context.moveTo(x + nx * shift, y + ny * shift);
      context.lineTo(mx + nx * shift, my + ny * shift);
      context.stroke();
    });
  }
}
