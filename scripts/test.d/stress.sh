# shellcheck shell=bash
# The tests on a busy machine: what asks for a moment where it should wait for a state shows there.

STRESS_RUNS=3
STRESS_FOLDER=dist/stress
STRESS_PROGRESS=$STRESS_FOLDER/progress # a line a run: verdict, file, number, seconds
STRESS_LOOPS=()
STRESS_RUNNER=

run_stress() {
  local fresh=no file files=()
  [ "${1:-}" != --fresh ] || { fresh=yes && shift; }
  while read -r file; do files+=("$file"); done < <(stressed_files "$@")
  [ ${#files[@]} -gt 0 ] || usage "no integration or e2e test file has this in its path: $*"
  [ "$fresh" = no ] || rm -rf "$STRESS_FOLDER"
  mkdir -p "$STRESS_FOLDER"
  touch "$STRESS_PROGRESS"
  make_able integration e2e
  # A trap waits for a command in the foreground, so the runner is started in the background and waited for.
  trap end_stress EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  start_busy_loops
  for file in "${files[@]}"; do stress_file "$file"; done
  count_runs "${files[@]}"
}

# The files whose path contains one of the words; all without words.
stressed_files() {
  local file word
  for file in test/integration/*.test.ts test/e2e/*.test.ts; do
    for word in "${@:-.test.ts}"; do
      case $file in *"$word"*) echo "$file" && break ;; esac
    done
  done
}

# A loop looks now and then whether we are still there: nobody else would end it if we were killed.
start_busy_loops() {
  local cores
  cores=$(node -p 'require("node:os").availableParallelism()')
  for ((core = 0; core < cores; core += 1)); do
    while kill -0 $$ 2>/dev/null; do for ((turn = 0; turn < 100000; turn += 1)); do :; done; done &
    STRESS_LOOPS+=($!)
  done
}

# A run under way is not cut off: it would leave its containers behind. What it finds is not written down.
end_stress() {
  [ ${#STRESS_LOOPS[@]} = 0 ] || kill "${STRESS_LOOPS[@]}" 2>/dev/null || true
  [ -z "$STRESS_RUNNER" ] || echo "the run under way goes on until it has taken its containers away" >&2
}

stress_file() {
  local file=$1 run log verdict began
  for ((run = 1; run <= STRESS_RUNS; run += 1)); do
    grep -q " $file $run " "$STRESS_PROGRESS" && continue
    log=$STRESS_FOLDER/$(basename "$file" .test.ts).$run.log
    began=$SECONDS
    run_vitest "$file" >"$log" 2>&1 &
    STRESS_RUNNER=$!
    verdict=passed
    wait "$STRESS_RUNNER" || verdict=FAILED
    STRESS_RUNNER=
    echo "$verdict $file $run $((SECONDS - began))" >>"$STRESS_PROGRESS"
    tell_run "$file" "$run"
  done
}

tell_run() {
  local verdict seconds
  read -r verdict _ _ seconds < <(grep " $1 $2 " "$STRESS_PROGRESS")
  echo "$verdict: $1, run $2 of $STRESS_RUNS, $seconds s, $STRESS_FOLDER/$(basename "$1" .test.ts).$2.log"
}

# Of the files that were asked for, with the runs of before.
count_runs() {
  local file passed=0 failed=0
  for file in "$@"; do
    passed=$((passed + $(grep -c "^passed $file " "$STRESS_PROGRESS" || true)))
    failed=$((failed + $(grep -c "^FAILED $file " "$STRESS_PROGRESS" || true)))
  done
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
}
