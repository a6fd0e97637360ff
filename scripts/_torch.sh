# Sourced by _setup.sh: `install_torch` takes torch from MOLDIFF_TORCH_INDEX, or its CPU build.
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
