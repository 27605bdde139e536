#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Catches: a campaign that puts its faults into the kernel proper when a module is named, or never finds it.
# Only for a guest whose kernel has its disk driver in a module: make check-debian.
set -eu
cd "$(dirname -- "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "not ok: $*"; exit 1; }

# shellcheck source=/dev/null
. "${WCR_TESTBED:-build/testbed.env}"
zcat "$WCR_GUEST_INITRD" | cpio -id --quiet -D "$work" 'lib/wcr/boot/*'
module=$(find "$work/lib" -name '*xen-blkfront.ko')
[ -n "$module" ] || { echo "the guest's kernel has no module xen-blkfront"; exit 77; }

cat >"$work/spec.yaml" <<SPEC
name: module
seed: 1
modes: [cold]
golden: 0
module: $module
target: func:blkif_interrupt
require_activation: true
deadline_ms: 2000
classes:
  - {class: NOP, trials: 1}
  - {class: PTR, trials: 1}
workload: {files: 8, blocks_per_file: 16}
SPEC

build/wcr run "$work/spec.yaml" --db "$work/db" || fail "the campaign"
query() { sqlite3 "$work/db" "$1"; }
[ "$(query "SELECT count(*) FROM trial WHERE status = 'done' AND activated")" = 2 ] || fail "a fault was not executed"
[ "$(query "SELECT DISTINCT plan_json ->> '$.module.name' FROM plan")" = xen_blkfront ] || fail "a plan of something else"

sed 's|^module:.*|module: /no/such.ko|' "$work/spec.yaml" >"$work/wrong.yaml"
build/wcr run "$work/wrong.yaml" --db "$work/wrong" >"$work/out" 2>&1 && fail "a module that is not there"
grep -q '/no/such.ko: No such file' "$work/out" || { cat "$work/out"; fail "not told which module is not there"; }
[ ! -e "$work/wrong" ] || fail "a database of nothing"
