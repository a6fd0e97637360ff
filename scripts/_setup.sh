# Sourced by quickstart and test: `setup EXTRAS` leaves an activated virtual environment with
# moldiff (editable, so that `git pull` is enough to update) and the given extras in it.
#   MOLDIFF_VENV         where the environment lives (default: .venv in the repository)
#   MOLDIFF_TORCH_INDEX  package index to take torch from (default: the CPU build)
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${MOLDIFF_VENV:-$repo/.venv}

# shellcheck source=/dev/null
source "$repo/scripts/_torch.sh"

say() { printf '\n==> %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

find_python() { # prints the first interpreter that is new enough and really runs
  local candidate
  for candidate in python3 python3.11 python3.12 python3.13 python3.14; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$candidate" && return
    fi
  done
  die "no Python 3.11 or newer on the PATH. Install one (Debian, Ubuntu: apt install python3 python3-venv) and run this again."
}

make_venv() {
  local python
  python=$(find_python)
  # `venv --clear` empties the folder: it must be an environment, or have nothing to lose
  if [[ -e $venv && ! -f $venv/pyvenv.cfg ]] && [[ ! -d $venv || -n $(ls -A "$venv") ]]; then
    die "$venv is there and no virtual environment. Set MOLDIFF_VENV to a new folder and run this again."
  fi
  say "creating the virtual environment $venv with $("$python" --version)"
  if ! "$python" -m venv --clear "$venv"; then
    rm -rf "$venv"
    die "$python cannot make virtual environments. Debian, Ubuntu: apt install python3-venv, then run this again."
  fi
}

setup() { # a stamp makes the second run quick; it depends on all that decides what is installed
  local extras=$1 stamp
  stamp=$venv/.moldiff-$(cat "$repo"/{constraints.txt,setup.cfg,pyproject.toml} | cksum | cut -d' ' -f1)-$extras
  "$venv/bin/python" -c 'import pip' >/dev/null 2>&1 || make_venv
  # shellcheck source=/dev/null
  source "$venv/bin/activate"
  [[ -e $stamp ]] && return
  install_torch
  say "installing moldiff[$extras] and what it needs, as pinned in constraints.txt: about 2 GB, some minutes"
  pip_install -e "$repo[$extras]"
  touch "$stamp"
}
