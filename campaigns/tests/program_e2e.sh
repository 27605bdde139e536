#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Catches: a program of one's own that a campaign does not start, or whose files nobody looks at.
set -eu
cd "$(dirname -- "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/spec.yaml" <<'SPEC'
name: program
seed: 1
modes: [enabled]
golden_run_ms: 500
classes:
  - {class: PANIC, trials: 1}
workload: {files: 8, blocks_per_file: 16, program: /bin/log}
SPEC

fail() { echo "not ok: $*"; exit 1; }

build/wcr run "$work/spec.yaml" --db "$work/db" || fail "the campaign"
# The built-in files have 128 pages, and reading them is all that the workers would add.
pages=$(sqlite3 "$work/db" "SELECT min(crash_pages_mapped) FROM trial WHERE status = 'done'")
[ "$pages" -gt 400 ] || fail "$pages pages in the cache: no log"
[ "$(sqlite3 "$work/db" "SELECT sum(pages_inconsistent) FROM trial")" = 0 ] || fail "reused pages unlike the disk"

sed 's|/bin/log|/bin/lug|; s|^golden.*|golden: 0\nretries: 0|' "$work/spec.yaml" >"$work/wrong.yaml"
build/wcr run "$work/wrong.yaml" --db "$work/wrong" >"$work/out" 2>&1 && fail "a program that is not there"
grep -q '/bin/lug: No such file' "$work/out" || { cat "$work/out"; fail "not told which program is not there"; }
