#!/usr/bin/env bash
# Runs every suite, prints minutes and counts of each, and closes with one line that counts all.
# Usage: run_suites.sh CARGO_FLAGS…
set -uo pipefail
cd "$(dirname "$0")/.."
flags=("$@")
total_passed=0 total_failed=0 total_skipped=0 broken=0
report=""

suite() {
  local name=$1 start log seconds passed failed skipped status
  shift
  echo "== $name"
  log=$(mktemp)
  start=$(date +%s)
  "$@" 2>&1 | tee "$log" | { grep -vE '^(test .* ok|running [0-9]+ tests?|)$' || true; }
  status=${PIPESTATUS[0]}
  seconds=$(($(date +%s) - start))
  passed=$(grep -oE '[0-9]+ passed;' "$log" | awk '{n += $1} END {print n + 0}')
  failed=$(grep -oE '[0-9]+ failed;' "$log" | awk '{n += $1} END {print n + 0}')
  skipped=$(grep -oE '[0-9]+ ignored;' "$log" | awk '{n += $1} END {print n + 0}')
  rm -f "$log"
  # A suite that does not build has no counts: it is a failure all the same.
  if [ "$status" -ne 0 ]; then
    broken=1
    [ "$failed" -eq 0 ] && failed=1
  fi
  total_passed=$((total_passed + passed)) total_failed=$((total_failed + failed)) total_skipped=$((total_skipped + skipped))
  report+=$(printf '%-28s %3d:%02d min  %4d passed  %3d failed  %3d skipped' "$name" $((seconds / 60)) $((seconds % 60)) "$passed" "$failed" "$skipped")$'\n'
}

suite "program and plugins" cargo build "${flags[@]}" -p dvt
suite "plugins as components" cargo run -q "${flags[@]}" -p xtask -- plugins
export DVT_PLUGIN_PATH="$CARGO_TARGET_DIR/plugins"
suite "planner as a component" cargo run -q "${flags[@]}" -p xtask -- planner
# Named together each time: another choice of packages would build what they share with other features once more.
own=(-p dvt-diagnostic -p dvt-project -p dvt-jinja -p dvt-planner -p dvt-planner-session -p dvt-mdm -p dvt-run -p dvt -p dvt-plugin-sdk -p dvt-plugin-pack -p dvt-connector)
suite "unit and golden" cargo test --no-fail-fast "${flags[@]}" "${own[@]}"
suite "hostile plugins" cargo run -q "${flags[@]}" -p xtask -- hostile
suite "contract" cargo test --no-fail-fast "${flags[@]}" -p dvt-plugin-host
suite "plugins by strangers" cargo run -q "${flags[@]}" -p xtask -- outsider
suite "their own tests" cargo test --release --locked --ignore-rust-version --manifest-path tests/outsider/Cargo.toml --target-dir "$CARGO_TARGET_DIR/outsider" -p facts -p wire-postgres
suite "drivers on real servers" cargo test --no-fail-fast "${flags[@]}" -p dvt-engine -p dvt-federation
suite "federation end to end" cargo test --no-fail-fast "${flags[@]}" -p dvt-tests -- --skip random_queries_ --skip spark_
suite "spark" cargo test --no-fail-fast "${flags[@]}" -p dvt-tests --test spark --test translation_spark -- --test-threads 1
suite "random queries" cargo test "${flags[@]}" -p dvt-tests --test random_queries
suite "dbt conformance" "${DBT_VENV:-$HOME/.cache/dvt/dbt-1.12.6}/bin/python" tests/artifacts/compare.py --dvt "$CARGO_TARGET_DIR/release/dvt" --schemas ../shared/schemas tests/projects/conformance_*
suite "browser module and page" make -s playground-page
suite "native planner" cargo build "${flags[@]}" "${own[@]}" --example explain
export NATIVE_PLANNER="$CARGO_TARGET_DIR/release/examples/explain"
suite "browser" npm --prefix web-playground test

echo
printf '%s' "$report"
echo "$total_passed passed, $total_failed failed, $total_skipped skipped"
exit "$broken"
