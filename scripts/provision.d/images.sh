# shellcheck shell=bash
# Which image is used for what: the one in the environment, the official one when it is here or can be pulled, else our
# own from Debian packages (own-images.sh), always under our own name.

IMAGE_VARIABLES="NODE_IMAGE NGINX_IMAGE PEBBLE_IMAGE CHALLTESTSRV_IMAGE CERTBOT_IMAGE CADDY_IMAGE HAPROXY_IMAGE HAPROXY3_IMAGE"
# shellcheck disable=SC2034 # for the script that sources this one
DEMO_IMAGE_VARIABLES="NODE_IMAGE NGINX_IMAGE PEBBLE_IMAGE"
REACHABLE=" " UNREACHABLE=" "

official_name() {
  case $1 in
    NODE_IMAGE) echo node:24-trixie-slim ;;
    NGINX_IMAGE) echo nginx:stable ;;
    PEBBLE_IMAGE) echo ghcr.io/letsencrypt/pebble:2.10 ;;
    CHALLTESTSRV_IMAGE) echo ghcr.io/letsencrypt/pebble-challtestsrv:2.10 ;;
    CERTBOT_IMAGE) echo certbot/certbot:latest ;;
    CADDY_IMAGE) echo caddy:2 ;;
    HAPROXY_IMAGE) echo haproxy:2.6 ;;
    HAPROXY3_IMAGE) echo haproxy:3.2 ;;
  esac
}

# Sets every name of IMAGE_VARIABLES; after it each image is in the engine, but for those the caller named.
provide_images() {
  local name missing=
  for name in $IMAGE_VARIABLES; do
    choose_local_image "$name" || missing="$missing $name"
  done
  [ -n "$missing" ] || return 0
  # shellcheck disable=SC2086 # a list of plain words
  pull_official_images $missing
  local unpulled=
  for name in $missing; do
    choose_local_image "$name" || unpulled="$unpulled $name"
  done
  [ -n "$unpulled" ] || return 0
  # shellcheck disable=SC2086
  build_own_images $unpulled
  for name in $unpulled; do
    printf -v "$name" %s "$(own_name "$name")"
  done
}

# choose_local_image NAME: false when something has to be pulled or built.
choose_local_image() {
  local name=$1 own official
  own=$(own_name "$name")
  # A shell that has read an older provision.env hands us our own name: that still may have to be built.
  [ -z "${!name:-}" ] || [ "${!name}" = "$own" ] || return 0
  official=$(official_name "$name")
  if docker image inspect "$official" >/dev/null 2>&1; then
    printf -v "$name" %s "$official"
  elif is_own_image_current "$name"; then
    printf -v "$name" %s "$own"
  else
    return 1
  fi
}

pull_official_images() {
  local name image
  for name in "$@"; do
    image=$(official_name "$name")
    is_registry_reachable "$image" || continue
    say "pulling $image"
    within 600 docker pull -q "$image" >"$LOGS/pull-$name.log" 2>&1 ||
      say "could not pull $image: $(tail -n 1 "$LOGS/pull-$name.log")" &
  done
  wait
}

# Asks each registry once a run, with a short time limit: a pull itself takes a minute to find out.
is_registry_reachable() {
  local registry=registry-1.docker.io
  case $1 in ghcr.io/*) registry=ghcr.io ;; esac
  case $REACHABLE in *" $registry "*) return 0 ;; esac
  case $UNREACHABLE in *" $registry "*) return 1 ;; esac
  if { [ "$registry" != ghcr.io ] && has_registry_mirror; } ||
    curl -sS -o /dev/null --max-time 6 "https://$registry/v2/" 2>>"$LOGS/registries.log"; then
    REACHABLE="$REACHABLE$registry "
  else
    say "$registry can't be reached from here"
    UNREACHABLE="$UNREACHABLE$registry "
    return 1
  fi
}

has_registry_mirror() {
  [ "$(docker info --format '{{len .RegistryConfig.Mirrors}}' 2>/dev/null)" != 0 ]
}
