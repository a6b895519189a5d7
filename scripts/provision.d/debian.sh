# shellcheck shell=bash
# Debian packages: this system's own through apt, and those of another suite without touching the system's sources.

DEBIAN_MIRROR_DEFAULT=http://deb.debian.org/debian
FRESH_LISTS=
DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# Only here are system packages ever installed.
is_installable() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null &&
    grep -Eqs '^ID(_LIKE)?=.*(debian|ubuntu)' /etc/os-release
}

# install_packages NAME...
install_packages() {
  local log=$LOGS/apt.log
  say "installing $* with apt (log: $log)"
  # A mirror that is down for a moment or a list another apt is just fetching is no reason to stop: install decides.
  apt-get update -q >>"$log" 2>&1 || true
  apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1 9>&- ||
    fail "apt-get could not install: $*" "Repair apt on this machine (apt-get update; apt-get -f install), then run this again." "$log"
}

# need_commands COMMAND[:PACKAGE]...: installs the packages whose command is missing.
need_commands() {
  local missing=() pair
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
  done
  [ "${#missing[@]}" = 0 ] && return
  is_installable || fail "missing commands: ${missing[*]}" "Install ${missing[*]} and run this again."
  install_packages "${missing[@]}"
}

# The mirror this machine's administrator chose, when it is a Debian one.
debian_mirror() {
  local mirror=
  # shellcheck disable=SC2016 # apt's own variable
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 2>/dev/null | head -n 1) || true
  case $mirror in
    http://* | https://*) printf '%s\n' "${mirror%/}" ;;
    *) printf '%s\n' "$DEBIAN_MIRROR_DEFAULT" ;;
  esac
}

need_debian_keyring() {
  [ -r "$DEBIAN_KEYRING" ] || install_packages debian-archive-keyring
}

# unpack_package SUITE PACKAGE FOLDER: a package of another Debian suite, unpacked and not installed.
unpack_package() {
  local suite=$1 package=$2 into=$3 own=$CACHE/apt/$1
  mkdir -p "$own/lists/partial" "$own/cache/archives/partial" "$own/debs"
  printf 'deb [signed-by=%s] %s %s main\n' "$DEBIAN_KEYRING" "$(debian_mirror)" "$suite" >"$own/sources.list"
  # sid's Release file can be past its date on a mirror that is a snapshot.
  local options=(
    -o "Dir::Etc::sourcelist=$own/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::Lists=$own/lists" -o "Dir::Cache=$own/cache" -o APT::Sandbox::User=root
    -o Acquire::Check-Valid-Until=false -o Acquire::Languages=none
  )
  # One refresh of the lists a run: an old list names files the mirror no longer has.
  if [ "$FRESH_LISTS" != "$suite" ]; then
    apt-get -q "${options[@]}" update || return
    FRESH_LISTS=$suite
  fi
  rm -rf "$own/debs/${package}_"* "$into"
  mkdir -p "$into"
  (cd "$own/debs" && apt-get -q "${options[@]}" download "$package") &&
    dpkg -x "$own/debs/${package}_"*.deb "$into" &&
    rm -f "$own/debs/${package}_"*
}
