# shellcheck shell=bash
# Docker engines of several versions, for `scripts/test --long engines`: the programs of Debian's packages, unpacked below $CACHE/engines
# and not installed. A test starts them beside the machine's own engine (test/support/own-engine.ts).

ENGINES=$CACHE/engines

# suite_of_engine VERSION: the Debian that has it.
suite_of_engine() {
  case $1 in
    20.10) echo bookworm ;;
    26) echo trixie ;;
    28) echo sid ;;
  esac
}

provide_engines() {
  local version
  [ "$(id -u)" = 0 ] && [ "$(uname -s)" = Linux ] || fail "a second Docker engine takes root on Linux" "Run this as root on Debian or Ubuntu."
  need_commands ip:iproute2 iptables unshare:util-linux
  for version in 20.10 26 28; do
    [ "$(engine_version "$ENGINES/$version")" = "$version" ] || unpack_engine "$version"
  done
  provide_podman
  rm -rf "$CACHE/apt"
}

# engine_version FOLDER: as its dockerd says it, shortened to what the folders are named after.
engine_version() {
  local said
  said=$("$1/dockerd" --version 2>/dev/null) || return 0
  said=${said#Docker version }
  case $said in 20.10.*) echo 20.10 ;; *) echo "${said%%.*}" ;; esac
}

unpack_engine() {
  local version=$1 suite log=$LOGS/engines.log into=$ENGINES/$1.new package program
  suite=$(suite_of_engine "$version")
  is_installable ||
    fail "Docker $version is unpacked from Debian's packages, and this is no Debian" "Run scripts/test --long engines as root on Debian or Ubuntu."
  need_debian_keyring
  say "unpacking Docker $version from Debian $suite (log: $log)"
  rm -rf "$into"
  mkdir -p "$into"
  # The runc of newer Debians wants a newer libc than this system may have.
  for package in "$suite docker.io" "$suite containerd" "bookworm runc"; do
    # shellcheck disable=SC2086 # a suite and a name
    unpack_package $package "$CACHE/unpacked/engine" >>"$log" 2>&1 ||
      fail "could not unpack ${package#* } from Debian ${package% *}" "Check that $(debian_mirror) can be reached, then run this again." "$log"
    find "$CACHE/unpacked/engine" -type f -path '*bin/*' -perm /111 -exec mv -t "$into" {} +
  done
  # As dockerd names it; Debian's is a link to its tini.
  program=$(command -v docker-init || command -v tini-static) && ln -s "$program" "$into/docker-init" ||
    fail "docker-init is missing" "Install tini, then run this again."
  rm -rf "$CACHE/unpacked" "${ENGINES:?}/$version"
  mv "$into" "$ENGINES/$version"
  [ "$(engine_version "$ENGINES/$version")" = "$version" ] && "$ENGINES/$version/runc" --version >>"$log" 2>&1 ||
    fail "Docker $version of Debian $suite doesn't run on this system: $("$ENGINES/$version/dockerd" --version 2>&1 | tail -n 1)" "Install the libraries that it names, then run this again." "$log"
}
