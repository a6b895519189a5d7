# shellcheck shell=bash
# node_modules as package-lock.json wants it. It brings the Node that runs everything else (devDependency node@24), so
# the system's own Node only has to be able to run npm.

provide_npm_packages() {
  local lock=$ROOT/package-lock.json modules=$ROOT/node_modules log=$LOGS/npm.log want
  if [ ! -f "$lock" ]; then
    say "there is no package-lock.json, so no npm packages"
    return
  fi
  want=$(checksum <"$lock")
  if [ -x "$modules/node/bin/node" ]; then
    [ "$(cat "$modules/.provisioned" 2>/dev/null)" != "$want" ] || return 0
    # npm writes this file last: newer than the lock file, it says that somebody has run npm since.
    if [ "$modules/.package-lock.json" -nt "$lock" ]; then
      printf '%s\n' "$want" >"$modules/.provisioned"
      return
    fi
  fi
  need_node
  say "installing npm packages with npm ci (log: $log)"
  (cd "$ROOT" && npm ci --include=dev --no-audit --no-fund) >"$log" 2>&1 ||
    fail "npm ci failed" "Check the network, npm's registry and package-lock.json, then run this again." "$(without_usage "$log")"
  "$modules/node/bin/node" --version >>"$log" 2>&1 ||
    fail "the npm package node has not brought its program" "Let npm run its install script (allowScripts in package.json, ignore-scripts=false), then run this again." "$log"
  printf '%s\n' "$want" >"$modules/.provisioned"
}

# npm ends a refused lock file with a page of usage, below the reason.
without_usage() {
  sed '/^npm error Clean install a project/,$d' "$1" >"$1.short"
  echo "$1.short"
}

need_node() {
  local version=none npm
  npm=$(command -v npm) || npm=none
  ! command -v node >/dev/null || version=$(node --version)
  if [ "$npm" = none ] || ! at_least 20.0 "${version#v}"; then
    fail "Node >= 20 with npm is needed to start (found: node $version, npm $npm)" "Install it from https://nodejs.org or your package manager, then run this again."
  fi
}
