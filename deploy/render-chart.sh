#!/usr/bin/env bash
# Renders the Helm chart twice (as it is by default, and with KEDA) into tests/golden/helm*.yaml, which
# tests/health/test_helm.py checks. Needs helm; to be run after each change of deploy/helm.
set -euo pipefail
cd "$(dirname "$0")/.."
config=()
for file in wirewatch feeds topics; do
  config+=(--set-file "config.$file\\.yaml=tests/golden/helm-config/$file.yaml")
done
secrets=(--set store.passwordSecret=store-secret --set secrets.feeds=feeds-secret --set secrets.channels=channels-secret)
sum=$(find deploy/helm -type f | LC_ALL=C sort | xargs cat | sha256sum | cut -d ' ' -f 1)
render() { printf '# Made by deploy/render-chart.sh from a chart with the checksum %s\n' "$sum"; ${HELM:-helm} template ww deploy/helm --namespace news "${config[@]}" "${secrets[@]}" "$@"; }
${HELM:-helm} lint deploy/helm "${config[@]}" "${secrets[@]}"
render > tests/golden/helm.yaml
render --set keda=true > tests/golden/helm-keda.yaml
