# shellcheck shell=bash
# What the person at the terminal sees: one plain line for each thing done. Stdout is kept for --print-env.

say() {
  printf 'provision: %s\n' "$*" >&2
}

# fail MESSAGE REMEDY [LOG]: says what went wrong and what to do about it, with the end of the log.
fail() {
  printf 'provision: %s\n' "$1" >&2
  if [ -n "${3:-}" ] && [ -s "$3" ]; then
    tail -n 15 "$3" | cut -c1-200 | sed 's/^/  | /' >&2
    printf 'provision: the whole log: %s\n' "$3" >&2
  fi
  printf 'provision: %s\n' "$2" >&2
  exit 1
}

# within SECONDS COMMAND...: with a time limit where the system can (macOS has no timeout).
within() {
  if command -v timeout >/dev/null; then
    timeout "$@"
  else
    shift
    "$@"
  fi
}

# The SHA-256 of stdin.
checksum() {
  if command -v sha256sum >/dev/null; then
    sha256sum | cut -c1-64
  else
    shasum -a 256 | cut -c1-64
  fi
}

# at_least WANTED VERSION: WANTED like 2.24, VERSION like 2.40.3-3
at_least() {
  local want_major=${1%%.*} want_minor=${1#*.} major minor
  IFS=. read -r major minor _ <<<"$2."
  minor=${minor%%[!0-9]*}
  case $major in '' | *[!0-9]*) return 1 ;; esac
  [ "$major" -gt "$want_major" ] || { [ "$major" -eq "$want_major" ] && [ "${minor:-0}" -ge "$want_minor" ]; }
}
