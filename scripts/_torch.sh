# Sourced by _setup.sh: `pip_install`, and `install_torch`, which takes torch from
# MOLDIFF_TORCH_INDEX, or its CPU build.
pip_install() { # a terminal shows the progress of the downloads, a log a line every ten seconds
  local command=(python -m pip install --disable-pip-version-check -c "$repo/constraints.txt") start=$SECONDS pid
  if [[ -t 1 ]]; then
    "${command[@]}" "$@"
    return
  fi
  "${command[@]}" -qq "$@" &
  pid=$!
  while sleep 1; kill -0 "$pid" 2>/dev/null; do
    (((SECONDS - start) % 10)) || echo "    $((SECONDS - start)) s, $(du -sh "$venv" | cut -f1) so far"
  done
  wait "$pid"
}

brings_cuda() { # whether pip would choose a torch with CUDA: gigabytes that serve no CPU
  python -m pip install --disable-pip-version-check -qq --dry-run --report - \
    -c "$repo/constraints.txt" torch | grep '"name": "nvidia-' >/dev/null
}

install_torch() {
  local pinned
  pinned=$(grep '^torch==' "$repo/constraints.txt")
  say "installing $pinned (some hundred MB)"
  if [[ -n ${MOLDIFF_TORCH_INDEX:-} ]]; then
    pip_install --no-deps --index-url "$MOLDIFF_TORCH_INDEX" "$pinned"
  elif brings_cuda; then # uv knows where the CPU builds are kept, pip does not
    pip_install uv
    python -m uv pip install --no-deps --torch-backend=cpu "$pinned" ||
      say "no CPU build could be fetched: taking the one with CUDA (several GB)"
  fi
  pip_install torch
}
