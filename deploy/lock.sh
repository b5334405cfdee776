#!/usr/bin/env bash
# Writes requirements.lock and requirements-dev.lock anew from pyproject.toml: every package with
# its version and the hashes of its public files, for Linux and macOS on any processor.
#
#   deploy/lock.sh              newest versions that fit
#
# PyTorch and what only its CUDA build needs are left out: deploy/install-torch.sh installs the CPU
# build of the version in pyproject.toml, which other indexes publish under other hashes.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
python3 -m venv "$tool" && "$tool/bin/pip" install -q uv

without=(--no-emit-package torch)
lock() {
  local target=$1; shift
  # What builds our own package is locked as well, so that nothing unlocked is fetched.
  printf 'hatchling\neditables\n' | "$tool/bin/uv" pip compile -q --generate-hashes --universal \
    --python-version 3.11 --no-annotate --no-header "${without[@]}" "$@" pyproject.toml - -o "$target"
}
lock "$tool/all" --all-extras
while read -r name; do without+=(--no-emit-package "$name"); done < <(
  sed -nE 's/^((nvidia|cuda|triton)[a-z0-9-]*)==.*/\1/p' "$tool/all")
lock requirements.lock --extra otel
lock requirements-dev.lock --all-extras
