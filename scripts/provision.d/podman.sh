# shellcheck shell=bash
# Podman of Debian 12, for `scripts/test --long engines`: its packages' files in one folder, not installed. Its runc and its init are
# those of Docker 20.10 (engines.sh); its settings are the test's (test/support/own-podman.ts).

PODMAN_PACKAGES="podman conmon netavark aardvark-dns golang-github-containers-common golang-github-containers-image libgpgme11 libsubid4"

provide_podman() {
  local log=$LOGS/podman.log into=$ENGINES/podman.new package
  ! podman_runs "$ENGINES/podman" || return 0
  is_installable ||
    fail "podman is unpacked from Debian's packages, and this is no Debian" "Run scripts/test --long engines as root on Debian or Ubuntu."
  need_debian_keyring
  say "unpacking podman from Debian bookworm (log: $log)"
  rm -rf "$into"
  mkdir -p "$into"
  for package in $PODMAN_PACKAGES; do
    unpack_package bookworm "$package" "$CACHE/unpacked/podman" >>"$log" 2>&1 ||
      fail "could not unpack $package from Debian bookworm" "Check that $(debian_mirror) can be reached, then run this again." "$log"
    find "$CACHE/unpacked/podman" \( -path '*/bin/*' -o -path '*/lib/podman/*' -o -name '*.so.*' -o -name seccomp.json -o -name policy.json \) \
      ! -type d -exec cp -P -t "$into" {} +
  done
  rm -rf "$CACHE/unpacked" "$ENGINES/podman"
  ln -s ../20.10/runc ../20.10/docker-init "$into"
  mv "$into" "$ENGINES/podman"
  podman_runs "$ENGINES/podman" ||
    fail "podman of Debian bookworm doesn't run on this system" "Install the libraries that the log names, then run this again." "$log"
}

podman_runs() {
  LD_LIBRARY_PATH=$1 "$1/podman" --version >>"$LOGS/podman.log" 2>&1
}
