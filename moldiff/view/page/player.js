// The player: a denoising trajectory from noise to the molecule, the prediction beside it where the file has it.

function makePlayer(scene, beside) {
  const SECONDS = 4, REST = 1.2, slider = byId("frame");
  let frames = [], predicted = [], final = null, playing = false, again = true, clock = 0, last = 0;

  const stateAt = (index) => (index === frames.length - 1 && final ? final : frames[index]);

  function show(index) {
    slider.value = index;
    const frame = frames[index];
    scene.draw(stateAt(index));
    if (predicted.length) beside().draw(predicted[index] || stateAt(index));
    byId("time").textContent = `${index + 1}/${frames.length}${Number.isFinite(frame.t) ? `  t = ${frame.t.toFixed(2)}` : ""}`;
    document.body.dataset.frame = index;
    document.body.dataset.atoms = scene.atoms();
  }
  function set(on, repeat = true) {
    playing = on && frames.length > 1;
    again = repeat;
    byId("play").textContent = playing ? "❚❚" : "▶";
    byId("play").setAttribute("aria-label", playing ? "Pause" : "Play");
    document.body.dataset.playing = playing;
    if (!playing) return;
    clock = Number(slider.value) >= frames.length - 1 ? 0 : Number(slider.value) / (frames.length - 1) * SECONDS;
    last = 0;
    requestAnimationFrame(tick);
  }
  function tick(now) {
    if (!playing) return;
    clock += last ? Math.min(0.1, (now - last) / 1000) * Number(byId("speed").value) : 0;
    last = now;
    if (clock > SECONDS + REST) clock = 0; // rest on the finished molecule, then again
    const index = Math.min(frames.length - 1, Math.floor(clock / SECONDS * frames.length));
    if (index !== Number(slider.value)) show(index);
    if (index === frames.length - 1 && !again) { set(false); return; }
    requestAnimationFrame(tick);
  }
  byId("play").addEventListener("click", () => set(!playing));
  slider.addEventListener("input", () => { set(false); show(Number(slider.value)); });
  return {
    /** A trajectory opens at noise, and plays once unless motion is not wanted. */
    load(next, predictions, mol) {
      set(false);
      [frames, predicted, final] = [next, predictions, mol];
      byId("player").hidden = !frames.length;
      slider.max = Math.max(0, frames.length - 1);
      if (predicted.length) beside();
      if (!frames.length) return;
      show(0);
      if (!matchMedia("(prefers-reduced-motion: reduce)").matches) set(true, false);
    },
    loaded: () => frames.length > 0,
    toggle: () => set(!playing), play: () => set(true),
    seek: (index) => { if (frames[index]) { set(false); show(index); } },
  };
}
