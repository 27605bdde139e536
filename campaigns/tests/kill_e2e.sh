#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Catches: a trial lost or recorded twice, a damaged database, a QEMU left behind, when
# wcr is killed (-9) while its machine boots, in the middle of a trial, and between two.
set -eu
cd "$(dirname -- "$0")/../.."
work=$(mktemp -d)
runner=
trap '[ -z "$runner" ] || kill -9 "$runner" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir "$work/tmp"
export TMPDIR=$work/tmp
cat >"$work/spec.yaml" <<'SPEC'
name: killed
seed: 1
modes: [enabled, disabled]
golden: 1
golden_run_ms: 200
classes:
  - class: PANIC
    trials: 2
delay_ms: [50, 100]
deadline_ms: 2000
workload:
  files: 8
  blocks_per_file: 16
SPEC
TRIALS=6    # (1 golden + 2 PANIC) x 2 modes

fail() { echo "not ok: $*"; exit 1; }

# Processes that live in a testbed of ours.
left() { find /proc -maxdepth 2 -name cwd -lname "$TMPDIR/*" 2>/dev/null | wc -l; }

# killed_at PATTERN: run until an event matches, then kill.
killed_at()
{
    local line seen=
    coproc RUN { exec build/wcr run "$work/spec.yaml" --db "$work/db" --json 2>"$work/err"; }
    runner=$RUN_PID
    while IFS= read -r line <&"${RUN[0]}"; do
        if [[ $line == $1 ]]; then
            seen=1
            break
        fi
    done
    [ -n "$seen" ] || { cat "$work/err"; fail "no event '$1'"; }
    kill -9 "$runner"
    wait "$runner" 2>/dev/null || true
    runner=
    for _ in $(seq 100); do
        [ "$(left)" -gt 0 ] || break
        sleep 0.1
    done
    [ "$(left)" -eq 0 ] || fail "QEMU is left 10 s after the runner was killed at '$1'"
    [ ! -e "$work/db" ] || [ "$(sqlite3 "$work/db" 'PRAGMA integrity_check')" = ok ] ||
        fail "the database is damaged"
}

count() { sqlite3 "$work/db" "SELECT count(*) FROM trial_summary WHERE status = 'done'"; }

killed_at '*"event":"campaign"*'
killed_at '*"event":"worker_ready"*'
killed_at '*"event":"trial"*'
before=$(count)
[ "$before" -ge 1 ] || fail "the trial that was reported is not recorded"
build/wcr run "$work/spec.yaml" --db "$work/db" --json >"$work/out" || { tail -5 "$work/out"; fail "the last run"; }
grep -q "\"event\":\"end\".*\"skipped\":$before,\"done\":$((TRIALS - before))," "$work/out" ||
    { tail -1 "$work/out"; fail "expected $before trials skipped and the others done"; }
[ "$(count)" -eq $TRIALS ] || fail "$(count) trials are recorded, not $TRIALS"
[ "$(sqlite3 "$work/db" 'SELECT count(*) FROM (SELECT DISTINCT fault_class, seed, mode FROM trial_summary)')" \
    -eq $TRIALS ] || fail "a trial is recorded twice"
[ "$(left)" -eq 0 ] || fail "QEMU is left"
[ -z "$(ls "$TMPDIR")" ] || fail "left in TMPDIR: $(ls "$TMPDIR")"
echo "ok"
