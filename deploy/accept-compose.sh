#!/usr/bin/env bash
# Proves the compose file on this machine, step by step: from `up` to an alert at a stand-in for
# Slack, a rolling restart, and a `docker kill` of every service under load, with every story and
# every alert counted at the end. Needs Docker with Compose (v2 or later, or v1.29).
#
#   deploy/accept-compose.sh            SCALE=4 RATE=5 KEEP=1 change what their names say
#
# Uses a project of its own (wirewatch-accept) and removes it, volumes and all, unless KEEP=1.
# Prometheus is looked at where its image is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

export COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-wirewatch-accept}
export WIREWATCH_CONFIG=./deploy/acceptance/config
export WIREWATCH_LOG_FORMAT=human
# Ports of its own, so that an installation on this machine may stay up meanwhile.
export DESK_PORT=${DESK_PORT:-18484} PROMETHEUS_PORT=${PROMETHEUS_PORT:-19090}
RATE=${RATE:-5} SCALE=${SCALE:-4}
WORKERS="poller embedder triage triage-standby notifier desk"
if docker compose version >/dev/null 2>&1; then compose="docker compose"; else compose="docker-compose"; fi
compose="$compose -f docker-compose.yml -f deploy/acceptance/compose.yml"
began=$(date +%s)

say() { printf '%4ds  %s\n' $(($(date +%s) - began)) "$*"; }
fail() { say "FAILED: $*"; $compose ps; $compose logs --tail 30; exit 1; }
# Asked of Docker itself: Compose v1 takes a second for each answer.
ids() {
  docker ps -q --no-trunc --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" \
    --filter "label=com.docker.compose.service=$1"
}
inside() { local name=$1; shift; docker exec -i "$(ids "$name" | head -1)" "$@"; }

# http METHOD URL: asked from inside the network, by the outlet's own Python.
http() {
  inside outlet python -c '
import sys, urllib.request
method, url = sys.argv[1:]
print(urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=10).read().decode())
' "$1" "$2"
}
# What the biggest process of a container had in memory at most.
peak() {
  docker exec "$1" python -c '
from pathlib import Path
lines = [line for path in Path("/proc").glob("[0-9]*/status") for line in path.read_text().splitlines()]
print(max(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024, "MiB")
'
}
tally() { inside notifier python - < deploy/acceptance/tally.py; }
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# await SECONDS WHAT COMMAND...: until COMMAND succeeds.
await() {
  local limit=$1 what=$2 start; shift 2; start=$(date +%s)
  until "$@" >/dev/null 2>&1; do
    [ $(($(date +%s) - start)) -lt "$limit" ] || fail "$what did not happen within $limit s"
    sleep 1
  done
  say "$what ($(($(date +%s) - start)) s)"
}
healthy() {
  local id
  for id in $(ids "$1"); do
    [ "$(docker inspect -f '{{.State.Health.Status}}' "$id")" = healthy ] || return 1
  done
  [ -n "$(ids "$1")" ]
}
all_healthy() { local name; for name in store $WORKERS; do healthy "$name" || return 1; done; }
baselined() { [ "$(tally | field baselined)" = 4 ]; }
messages() { http GET http://newsroom:8080/_messages; }
stand_ins() { http GET http://outlet:8080/published && messages; }
told() { messages | grep -q "$1"; }

cleanup() {
  [ "${KEEP:-}" = 1 ] && return
  $compose --profile monitoring down -v --remove-orphans >/dev/null 2>&1 || true
  [ -z "${made_env:-}" ] || rm -f .env
  rm -rf "$work"
}
work=$(mktemp -d)
trap cleanup EXIT
# A secret of feeds, to see who gets it. That of the channels is whatever stands in .env.
export FEEDS_ENV=$work/feeds.env
echo "ACCEPT_FEED_KEY=wire" > "$FEEDS_ENV"
if [ ! -e .env ]; then
  sed "s/^STORE_PASSWORD=$/STORE_PASSWORD=accept$RANDOM$RANDOM$RANDOM/" .env.example > .env; made_env=1
fi

# --- 1
say "1. up, with Compose $($compose version --short)"
[ "$($compose config | grep -c '^    build:')" = 1 ] || fail "not one service alone builds the image"
STORE_PASSWORD="" $compose config >/dev/null 2>&1 && fail "it starts without a password of its own"
$compose build >"$work/build.log" 2>&1 || { tail -30 "$work/build.log"; fail "build"; }
size=$(docker image inspect -f '{{.Size}}' "${WIREWATCH_IMAGE:-wirewatch:latest}")
base=$(docker image inspect -f '{{.Size}}' "${PYTHON_IMAGE:-python:3.11.13-slim-bookworm}")
say "   the image is built: $((size / 1000000)) MB, $(((size - base) / 1000000)) of them on top of its base"
labels=$(docker image inspect -f '{{range $name, $value := .Config.Labels}}{{println $name $value}}{{end}}' \
  "${WIREWATCH_IMAGE:-wirewatch:latest}")
for name in title description licenses version base.name; do
  grep -q "^org.opencontainers.image.$name ." <<< "$labels" || fail "the image has no label $name"
done
$compose up -d >/dev/null 2>&1 || { $compose up -d; fail "up"; }
await 300 "every container is healthy" all_healthy

# --- 2
say "2. what the containers are"
for name in store $WORKERS; do
  for id in $(ids "$name"); do
    line=$(docker inspect -f '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.Memory}} {{len .HostConfig.PortBindings}} {{.HostConfig.RestartPolicy.Name}}' "$id")
    set -- $line
    [ "$1" != "" ] && [ "${1%%:*}" != 0 ] || fail "$name runs as root"
    [ "$2" = true ] || fail "$name has a writable root file system"
    [ "$3" = "[ALL]" ] || fail "$name keeps capabilities"
    [ "$4" -gt 0 ] || fail "$name has no memory limit"
    [ "$5" = 0 ] || [ "$name" = desk ] || fail "$name publishes a port"
    say "   $name: user $1, read-only, no capabilities, $(($4 / 1048576)) MB at most, restart $6"
  done
done
[ "$(docker port "$(ids desk)" | grep -cv ' 127.0.0.1:')" = 0 ] || fail "the desk is not on loopback alone"
owners() {  # who has the variable $1
  local name
  for name in $WORKERS; do
    if inside "$name" sh -c "test -n \"\${$1+set}\""; then printf '%s ' "$name"; fi
  done
}
[ "$(owners ACCEPT_FEED_KEY)" = "poller " ] || fail "the secrets of feeds: $(owners ACCEPT_FEED_KEY)"
[ "$(owners STORE_PASSWORD)" = "notifier " ] || fail "the secrets of .env: $(owners STORE_PASSWORD)"
say "   the secrets of feeds are the poller's alone, those of channels the notifier's"
inside triage sh -c 'touch /x' 2>/dev/null && fail "the root file system can be written"
inside triage python -c 'import socket; socket.create_connection(("192.0.2.1", 80), 2)' \
  2>/dev/null && fail "triage has a way out"
inside embedder sh -c 'command -v gcc cc clang make' && fail "there is a compiler"
if $compose run --rm --no-deps -T --entrypoint python triage -c \
  'x = [bytearray(64 << 20) for _ in range(64)]' >/dev/null 2>&1; then
  fail "the memory limit does not hold"
fi
say "   the memory limit holds (a process that wanted 4 GB was ended)"

# --- 3
say "3. from a feed to Slack"
await 60 "the outlets and the newsroom answer" stand_ins
http POST "http://outlet:8080/load?rate=1" >/dev/null
await 120 "the first look round is done" baselined
sleep 5
http POST "http://outlet:8080/load?rate=0" >/dev/null
http POST http://outlet:8080/publish >/dev/null
await 90 "an alert about the power plant is in Slack" told "power plant at Troms"

# --- 4
say "4. under load ($RATE stories/s): docker kill of every service"
http POST "http://outlet:8080/load?rate=$RATE" >/dev/null
for name in $WORKERS store; do
  sleep 5
  for id in $(ids "$name"); do docker kill "$id" >/dev/null; done
  $compose up -d --no-recreate >/dev/null 2>&1
  await 180 "   $name was killed and is back" healthy "$name"
done
await 120 "   and all are well" all_healthy

# --- 5
say "5. under load: a rolling restart, one service after the other"
for name in $WORKERS; do
  start=$(date +%s)
  $compose stop "$name" >/dev/null 2>&1
  for id in $(docker ps -aq --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" \
      --filter "label=com.docker.compose.service=$name"); do
    code=$(docker inspect -f '{{.State.ExitCode}}' "$id")
    [ "$code" = 0 ] || fail "$name did not stop by itself (exit $code)"
  done
  say "   $name stopped by itself within $(($(date +%s) - start)) s"
  $compose up -d --no-recreate >/dev/null 2>&1
  await 180 "   $name is back" healthy "$name"
done

# --- 6
say "6. under load: --scale poller=$SCALE --scale embedder=$SCALE"
$compose up -d --no-recreate --scale "poller=$SCALE" --scale "embedder=$SCALE" >/dev/null 2>&1
[ "$(ids poller | wc -l)" = "$SCALE" ] || fail "there are not $SCALE pollers"
await 240 "   all are healthy" all_healthy
sleep 15

# --- 7
say "7. the load ends; everything is counted"
http POST "http://outlet:8080/load?rate=0" >/dev/null
published=$(http GET http://outlet:8080/published | field published)
decided() {
  local now; now=$(tally)
  [ "$(echo "$now" | field analysed)" -ge "$published" ] && [ "$(echo "$now" | field queued)" = 0 ] \
    && [ "$(echo "$now" | field waiting)" = 0 ]
}
await 600 "   all that was published is analysed and told" decided
for name in $WORKERS; do
  for id in $(ids "$name"); do
    say "   $name: $(docker stats --no-stream --format '{{.MemUsage}}' "$id"), at most $(peak "$id") resident"
    [ "$(docker inspect -f '{{.RestartCount}}' "$id")" = 0 ] || fail "$name ended by itself"
  done
done
tally > "$work/tally.json"
messages > "$work/messages.json"
python3 deploy/acceptance/verdict.py "$published" "$work/tally.json" \
  "$work/messages.json" || fail "the count"

# --- 8
if docker image inspect "${PROMETHEUS_IMAGE:-prom/prometheus:v3.5.0}" >/dev/null 2>&1; then
  say "8. Prometheus sees every process"
  $compose up -d --no-deps prometheus >"$work/up.log" 2>&1 || { cat "$work/up.log"; fail "Prometheus did not start"; }
  targets() {
    python3 - <<'PY'
import json, os, sys, urllib.request
port = os.environ["PROMETHEUS_PORT"]
data = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/targets", timeout=5))
up = [t for t in data["data"]["activeTargets"] if t["health"] == "up"]
stages = {t["labels"]["stage"] for t in up}
sys.exit(len(stages) < 5)
PY
  }
  await 120 "   a target of every stage is up" targets
fi
say "passed"
