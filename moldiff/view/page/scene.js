// The stage: one 3Dmol viewer for the selected molecule; the painter where WebGL is missing.
// Both have the same face: draw(mol, zoom), option(name, value), reset(), atoms().
// draw keeps the camera unless zoom is given: 1 fits the molecule, less leaves room around it.

const SCENE_STYLES = {
  ball: (scheme) => ({ stick: { radius: 0.12, ...scheme }, sphere: { scale: 0.26, ...scheme } }),
  stick: (scheme) => ({ stick: { radius: 0.17, ...scheme } }),
  sphere: (scheme) => ({ sphere: { scale: 0.95, ...scheme } }),
};
const BY_ELEMENT = { colorfunc: (atom) => colourOf(atom.elem) };

function hasWebgl() {
  const probe = document.createElement("canvas");
  const context = probe.getContext("webgl2") || probe.getContext("webgl");
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return Boolean(context);
}

function makeScene(host, onHover) {
  if (hasWebgl()) {
    try {
      return webglScene(host, onHover);
    } catch (error) {
      console.warn("3D by WebGL failed, painting instead:", error);
      host.replaceChildren();
    }
  }
  return paintedScene(host);
}

/** Atoms as 3Dmol wants them, bonds listed from both ends. */
function atomsFor3Dmol(mol) {
  const atoms = mol.points.map(([x, y, z], i) => ({ elem: mol.elements[i], x, y, z, bonds: [], bondOrder: [], serial: i }));
  for (let k = 0; k < mol.bonds.length; k += 3) {
    const [a, b, order] = mol.bonds.slice(k, k + 3);
    const drawn = order > 3 ? 1 : order;
    atoms[a].bonds.push(b); atoms[a].bondOrder.push(drawn);
    atoms[b].bonds.push(a); atoms[b].bondOrder.push(drawn);
  }
  return atoms;
}

function webglScene(host, onHover) {
  const viewer = $3Dmol.createViewer(host, { backgroundAlpha: 0, antialias: true, disableFog: true });
  if (!viewer) throw new Error("no viewer");
  const options = { style: "ball", hydrogens: true, labels: false, spin: false };
  let shown = null, count = 0, fit = 1;

  function refresh() {
    viewer.removeAllModels();
    viewer.removeAllShapes();
    viewer.removeAllLabels();
    const mol = shown && (options.hydrogens ? shown : withoutHydrogens(shown));
    count = mol ? mol.elements.length : 0;
    if (mol) {
      const model = viewer.addModel();
      model.addAtoms(atomsFor3Dmol(mol));
      viewer.setStyle({}, SCENE_STYLES[options.style](BY_ELEMENT));
      mol.problem.forEach((i) => viewer.addSphere({ center: at(mol, i), radius: 0.7, color: "#ff3b40", opacity: 0.6 }));
      mol.kept.forEach((i) => viewer.addSphere({ center: at(mol, i), radius: 0.6, color: "#4f8cff", opacity: 0.5 }));
      mol.hits.forEach((i) => viewer.addSphere({ center: at(mol, i), radius: 0.6, color: "#ffb300", opacity: 0.5 }));
      if (options.labels) mol.elements.forEach((_, i) => viewer.addLabel(atomLabel(mol, i), labelStyle(at(mol, i))));
      viewer.setHoverable({}, true, (atom) => onHover(atomLabel(mol, atom.serial)), () => onHover(""));
    }
    viewer.render();
  }
  const at = (mol, i) => ({ x: mol.points[i][0], y: mol.points[i][1], z: mol.points[i][2] });
  const labelStyle = (position) => ({ position, inFront: true, fontSize: 11, fontColor: "#fff", backgroundColor: "#1c2430", backgroundOpacity: 0.65, alignment: "center" });
  function reset() {
    if (!count) return;
    viewer.resize(); // the stage may just have been parted
    viewer.setView([0, 0, 0, 0, 0, 0, 0, 1]);
    // zoomTo fits centres of atoms in the height: keep their spheres on the stage, a narrow one too
    viewer.zoomTo();
    viewer.zoom(0.98 * fit * Math.min(1, 0.92 * host.clientWidth / Math.max(1, host.clientHeight)));
    viewer.rotate(20, "y");
    viewer.rotate(14, "x");
    viewer.render();
  }
  return {
    kind: "webgl", reset, viewer, atoms: () => count,
    /** Two scenes with one camera. */
    link(other) {
      viewer.linkViewer(other.viewer);
      other.viewer.linkViewer(viewer);
      other.viewer.setView(viewer.getView());
    },
    draw(mol, zoom) {
      shown = mol;
      refresh();
      if (zoom) { fit = zoom; reset(); }
    },
    option(name, value) {
      options[name] = value;
      if (name === "spin") viewer.spin(value ? "y" : false, 0.5);
      else refresh();
    },
  };
}

function paintedScene(host) {
  const canvas = host.appendChild(document.createElement("canvas"));
  let view = { yaw: 0.35, pitch: 0.25, zoom: 1, style: "ball", scale: 0 };
  const options = { hydrogens: true, spin: false };
  let shown = null, last = 0, fit = 1, twin = null;

  function refresh(alone = false) {
    if (twin && !alone) twin.refresh(true);
    const ratio = window.devicePixelRatio || 1;
    [canvas.width, canvas.height] = [host.clientWidth * ratio, host.clientHeight * ratio];
    if (shown) paint(canvas, options.hydrogens ? shown : withoutHydrogens(shown), view);
  }
  function turn(now) {
    if (!options.spin) { last = 0; return; }
    view.yaw += last ? (now - last) / 1600 : 0;
    last = now;
    refresh();
    requestAnimationFrame(turn);
  }
  host.addEventListener("pointerdown", (event) => host.setPointerCapture(event.pointerId));
  host.addEventListener("pointermove", (event) => {
    if (!event.buttons) return;
    view.yaw += event.movementX / 120;
    view.pitch += event.movementY / 120;
    refresh();
  });
  host.addEventListener("wheel", (event) => {
    event.preventDefault();
    view.zoom = Math.min(6, Math.max(0.2, view.zoom * Math.exp(-event.deltaY / 700)));
    refresh();
  }, { passive: false });
  new ResizeObserver(() => { view.scale = 0; refresh(); }).observe(host);
  return {
    kind: "painted", refresh, atoms: () => (shown ? shown.elements.length : 0),
    follow(other, shared) { [twin, view] = [other, shared]; },
    link(other) {
      twin = other;
      other.follow(this, view);
    },
    reset() {
      Object.assign(view, { yaw: 0.35, pitch: 0.25, zoom: 0.88 * fit });
      refresh();
    },
    draw(mol, zoom) {
      shown = mol;
      refresh();
      if (!zoom) return;
      fit = zoom;
      if (mol) view.scale = fittingScale(canvas, mol, PAINT_STYLES[view.style].atom);
      else canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
      this.reset();
    },
    option(name, value) {
      if (name === "style") { view.style = value; view.scale = 0; } else options[name] = value;
      if (name === "spin" && value) requestAnimationFrame(turn);
      refresh();
    },
  };
}
