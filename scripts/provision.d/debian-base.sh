# shellcheck shell=bash
# The Debian systems our own images start from: trixie, and sid for the newest nginx, Pebble, certbot and Caddy.

OWN_PREFIX=cert-sidecar-base
RECIPE_LABEL=provision.recipe

base_recipe() {
  cat "$PIECES/debian-base.sh" "$PIECES/apt-lean.conf"
}

# The recipe an image was made by, empty when there is no such image.
recipe_label() {
  docker image inspect --format "{{index .Config.Labels \"$RECIPE_LABEL\"}}" "$1" 2>/dev/null || true
}

# A minimal Debian: as debootstrap makes it, without manual pages, translations and apt's caches. By way of a file: an
# archive that breaks off must not become an image.
build_base() {
  local suite=$1 image=$OWN_PREFIX/debian:$1 log=$LOGS/build-$1.log tar=$CACHE/$1.tar mirror recipe
  mirror=$(debian_mirror)
  recipe=$({ base_recipe && echo "$mirror"; } | checksum)
  [ "$(recipe_label "$image")" != "$recipe" ] || return 0
  say "building $image from Debian packages (log: $log)"
  # Check-Valid-Until: sid's Release file can be past its date on a mirror that is a snapshot.
  # shellcheck disable=SC2016 # $1 is the hook's own: the new system's folder
  mmdebstrap --variant=minbase --include=ca-certificates \
    --customize-hook="copy-in $PIECES/apt-lean.conf /etc/apt/apt.conf.d" --customize-hook='rm -f "$1"/var/cache/apt/*.bin' \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Languages "none"' \
    --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    "$suite" "$tar" "$mirror" >"$log" 2>&1 ||
    fail "could not build $image" "Check that $mirror can be reached, then run this again." "$log"
  docker import --change 'CMD ["bash"]' --change "LABEL $RECIPE_LABEL=$recipe" "$tar" "$image" >>"$log" 2>&1 ||
    fail "could not import $image" "Check the engine's disk space." "$log"
  rm -f "$tar"
}
