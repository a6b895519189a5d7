# shellcheck shell=bash
# A Docker engine that answers: the one that is there, else Debian's docker.io, started in the background where no
# systemd does it (containers, minimal virtual machines, CI).

USUAL_SOCKET=unix:///var/run/docker.sock
DOCKER_REMEDY="Install Docker with Compose >= 2.24 (https://docs.docker.com/engine/install/), start it, and run this again."

provide_engine() {
  docker_answers || find_engine
  provide_cli_plugins
}

find_engine() {
  if [ "${DOCKER_HOST:-$USUAL_SOCKET}" != "$USUAL_SOCKET" ]; then
    fail "no Docker engine answers at DOCKER_HOST=$DOCKER_HOST" "Start that engine or unset DOCKER_HOST, then run this again."
  fi
  is_installable || fail "no Docker engine answers here" "$DOCKER_REMEDY"
  if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
    install_engine
    # Where systemd runs, the package has just started it.
    ! docker_answers || return 0
  fi
  start_engine
}

docker_answers() {
  command -v docker >/dev/null && within 20 docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# Where other programs must look for the engine; empty when it is the usual socket.
docker_host() {
  local host=${DOCKER_HOST:-}
  [ -n "$host" ] || host=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null) || host=
  [ "$host" = "$USUAL_SOCKET" ] || printf '%s' "$host"
}

install_engine() {
  local packages=(docker.io)
  # A newer CLI somebody has put in the place of Debian's stays usable: /usr/local/bin comes first in PATH.
  if [ "$(command -v docker)" = /usr/bin/docker ] && [ ! -e /usr/local/bin/docker ]; then
    cp /usr/bin/docker /usr/local/bin/docker
  fi
  # Newer Debians have the CLI in a package of its own.
  if ! command -v docker >/dev/null && apt-cache show docker-cli >/dev/null 2>&1; then
    packages+=(docker-cli)
  fi
  install_packages "${packages[@]}"
  hash -r
}

start_engine() {
  local log=$LOGS/dockerd.log options=()
  if [ -d /run/systemd/system ]; then
    say "starting the Docker engine with systemctl"
    systemctl start docker >"$log" 2>&1 || true
    wait_for_engine 60 || fail "the Docker engine did not start" "Look at: journalctl -u docker" "$log"
    return
  fi
  if is_running /var/run/docker.pid dockerd; then
    wait_for_engine 30 || fail "dockerd runs but does not answer" "End it (process $(cat /var/run/docker.pid)) and run this again." "$log"
    return
  fi
  say "starting the Docker engine (log: $log)"
  launch_engine "$log" && return
  # The kernels that lack something say so in the log: try the way that needs less, once each.
  if grep -qiE 'iptables|nf_tables|nftables|ip6?tables' "$log" && use_legacy_iptables; then
    say "the engine could not set up its firewall rules; trying iptables-legacy"
    launch_engine "$log" && return
  fi
  if grep -qiE 'overlay|graphdriver|storage-driver|driver not supported' "$log"; then
    say "the engine could not use overlay file systems; trying the vfs storage driver"
    options=(--storage-driver=vfs)
    launch_engine "$log" "${options[@]}" && return
  fi
  fail "the Docker engine did not start" "The log says why; a container needs --privileged to run an engine inside." "$log"
}

# launch_engine LOG OPTION...: 0 when the engine answers.
launch_engine() {
  local log=$1 pid
  shift
  clear_leftovers
  setsid nohup dockerd "$@" </dev/null >"$log" 2>&1 9>&- &
  pid=$!
  disown "$pid"
  wait_for_engine 60 "$pid"
}

# wait_for_engine SECONDS [PID]: gives up early when the process is gone.
wait_for_engine() {
  local end=$((SECONDS + $1)) pid=${2:-}
  until docker_answers; do
    [ "$SECONDS" -lt "$end" ] || return 1
    [ -z "$pid" ] || kill -0 "$pid" 2>/dev/null || return 1
    sleep 0.3
  done
}

# is_running PIDFILE COMMAND: after a reboot the number in the file can belong to any other process.
is_running() {
  local pid
  pid=$(cat "$1" 2>/dev/null) && [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ]
}

# dockerd refuses to start, or waits for nothing, when files of an engine that was killed say that it still runs.
clear_leftovers() {
  is_running /var/run/docker.pid dockerd || rm -f /var/run/docker.pid
  local own=/var/run/docker/containerd shared=/run/containerd/containerd.sock
  is_running "$own/containerd.pid" containerd || rm -f "$own/containerd.pid" "$own"/*.sock*
  [ ! -S "$shared" ] || grep -qsx containerd /proc/[0-9]*/comm || rm -f "$shared"
}

use_legacy_iptables() {
  local shims=$CACHE/iptables-legacy name
  command -v iptables-legacy >/dev/null || return 1
  mkdir -p "$shims"
  for name in iptables ip6tables; do
    ln -sf "$(command -v "$name-legacy")" "$shims/$name"
  done
  PATH=$shims:$PATH
}
