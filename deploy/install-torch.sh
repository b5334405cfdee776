#!/usr/bin/env bash
# Installs PyTorch's CPU build for a Python, and nothing of CUDA (which would add several GB).
#
#   deploy/install-torch.sh .venv/bin/python
#
# Does nothing where the right version is already installed. Tried in turn: a CPU build that pip
# finds by itself (a wheel folder of your own: PIP_FIND_LINKS), then uv, which knows where the
# CPU builds are published. On macOS every build is a CPU build.
set -euo pipefail
python=${1:-python3}
version=$(sed -n 's/^ *"torch==\([0-9.]*\)".*/\1/p' "$(dirname "$0")/../pyproject.toml")
say() { printf 'install-torch: %s\n' "$*" >&2; }

have=$("$python" -c 'import importlib.metadata as m; print(m.version("torch"))' 2>/dev/null || true)
if [ "${have%%+*}" = "$version" ]; then exit 0; fi

if [ "$(uname -s)" = Darwin ]; then
  exec "$python" -m pip install -q "torch==$version"
fi
if "$python" -m pip install -q "torch==$version+cpu" 2>/dev/null; then exit 0; fi
if "$python" -m pip install -q uv &&
  "$python" -m uv pip install -q --python "$python" --torch-backend=cpu "torch==$version"; then
  exit 0
fi
say "no CPU build could be had; installing the default build, which is much larger"
exec "$python" -m pip install -q "torch==$version"
