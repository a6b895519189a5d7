# shellcheck shell=bash
# The matrices that have more repetitions than an hour holds, each by itself.

LONG_PARTS="crash engines faults haproxy host load locks recipes renewals restarts stops simulate"

# A part's test files; what they repeat is asked for by CERT_SIDECAR_FULL.
files_of_part() {
  case $1 in
    crash) echo test/e2e/crash.test.ts ;;
    engines) echo test/e2e/engines.test.ts ;;
    faults) echo test/e2e/faults.test.ts test/e2e/faults-engine.test.ts ;;
    haproxy) echo test/integration/deploy-haproxy.test.ts ;;
    host) echo test/e2e/host-nginx.test.ts ;;
    load) echo test/e2e/load.test.ts ;;
    locks) echo test/unit/lock/lock.test.ts ;;
    recipes) echo test/integration/deploy-recipes.test.ts test/e2e/mail.test.ts ;;
    renewals) echo test/e2e/renewal.test.ts ;;
    restarts) echo test/e2e/restart-loop.test.ts ;;
    stops) echo test/e2e/stopping.test.ts ;;
  esac
}

run_long_part() {
  [ $# = 1 ] || usage "--long takes one PART of: $LONG_PARTS"
  case " $LONG_PARTS " in *" $1 "*) ;; *) usage "unknown PART: $1; it is one of: $LONG_PARTS" ;; esac
  export CERT_SIDECAR_FULL=1
  case $1 in
    simulate) run_simulation ;;
    locks) make_able unit ;;
    haproxy) make_able integration ;;
    engines)
      make_able e2e
      provide_engines
      ;;
    *) make_able e2e ;;
  esac
  # shellcheck disable=SC2046 # paths without blanks
  [ "$1" = simulate ] || run_files $(files_of_part "$1")
}

# run_files FILE...: each by itself, with a count of its own.
run_files() {
  local file status=0
  for file in "$@"; do
    choose_network "$file"
    run_and_count "$file" || status=1
  done
  return "$status"
}

# At its start an engine takes the firewall's rules and docker0 from another one, so the tests that start one run where there is no
# other: in a network of their own, in which what they publish is reached, too.
choose_network() {
  # shellcheck disable=SC2034,SC2016 # for run_vitest; the inner shell's
  case $1 in
    *engine*) IN_NETWORK=(env CERT_SIDECAR_OWN_NETWORK=1 unshare --net -- sh -c 'ip link set lo up && exec "$@"' sh) ;;
    *) IN_NETWORK=() ;;
  esac
}

# Their programs are many and large, and no other test wants them.
provide_engines() {
  local found
  found=$(scripts/provision --only engines --print-env)
  export "${found?}"
}

# The whole plan of `npm run simulate`; a life counts as a test.
run_simulation() {
  make_able unit
  local log=dist/simulation.log status=0
  mkdir -p dist
  node test/simulation/main.ts | tee "$log" || status=$?
  echo "$(grep -c '^[0-9].*: ok;' "$log" || true) passed, $(grep -c '^[0-9].*: FAILED;' "$log" || true) failed"
  return "$status"
}
