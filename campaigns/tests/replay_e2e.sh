#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Catches: a trial that cannot be run again, a recording that does not replay to the last byte of the
# console, a debugger that does not stop at the fault or cannot go back from there, a guest that spins with
# interrupts off and is taken for an experiment that broke.
set -eu
cd "$(dirname -- "$0")/../.."
work=$(mktemp -d /var/tmp/wcr-replay-XXXXXX)
trap 'rm -rf "$work"' EXIT
cat >"$work/spec.yaml" <<'SPEC'
name: again
seed: 1
modes: [enabled]
classes:
  - {class: PANIC, trials: 1}
  - {class: BR, trials: 1, target: "func:ext4_da_write_begin"}
  - {class: LOCK, trials: 1, target: "func:blkif_queue_rq"}
require_activation: true
deadline_ms: 2000
workload: {files: 8, blocks_per_file: 16}
SPEC

fail() { echo "not ok: $*"; exit 1; }

build/wcr run "$work/spec.yaml" --db "$work/db" >"$work/out" 2>&1 || { cat "$work/out"; fail "the campaign"; }

outcome=$(sqlite3 "$work/db" "SELECT outcome FROM trial_summary WHERE fault_class = 'LOCK' AND status = 'done'")
[ "$outcome" = hang ] || fail "a lock that is not given back: '$outcome'"

# A crash and a hang for certain, and a branch: whatever that did, it is replayed.
for trial in PANIC:1:enabled LOCK:1:enabled BR:1:enabled; do
    dir=$work/${trial%%:*} status=0
    build/wcr replay "$trial" --db "$work/db" --record "$dir" >"$work/out" 2>&1 || status=$?
    [ $status -eq 0 ] || [[ $status -eq 1 && $trial == BR:* ]] || { cat "$work/out"; fail "recording $trial: status $status"; }
    cat "$work/out"
    build/wcr replay --from "$dir" || fail "replaying $trial"
done

va=$(sqlite3 "$work/db" "SELECT plan_json ->> 'va' FROM plan WHERE fault_class = 'BR' AND rejected IS NULL")
cat >"$work/script" <<'GDB'
printf "at %#lx\n", $rip
reverse-stepi
printf "before %#lx\n", $rip
stepi
printf "again %#lx\n", $rip
GDB
build/wcr replay --from "$work/BR" --gdb --script "$work/script" >"$work/out" 2>&1 || { cat "$work/out"; fail "gdb"; }
cat "$work/out"
grep -qx "at $va" "$work/out" || fail "gdb is not at the fault, $va"
grep -qx "again $va" "$work/out" || fail "gdb does not come back to $va"
grep '^before 0x' "$work/out" | grep -qv "$va" || fail "gdb did not go back"
echo ok
