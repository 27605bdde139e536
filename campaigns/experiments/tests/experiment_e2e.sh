#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Catches: an experiment that does not run any more, a warm guest that is slower than it was, a cold one
# that is not, a page without their numbers.
set -eu
cd "$(dirname -- "$0")/../../.."
work=$(mktemp -d /var/tmp/wcr-experiment-XXXXXX)
trap 'rm -rf "$work"' EXIT
db=$work/db

fail() { echo "not ok: $*"; exit 1; }

build/wcr experiment file-read --file-mb 64 --disk published --db "$db" || fail "the experiment"

# The first read after a reboot is slower by so many percent.
degradation()
{
    sqlite3 "$db" "SELECT CAST(100 * value AS INTEGER) FROM experiment_latest
        WHERE metric = 'degradation' AND configuration = '$1'"
}

for name in normal file-backed; do [ "$(degradation $name)" -ge 50 ] || fail "$name: $(degradation $name)%"; done
for name in warm warm-planned file-backed-warm; do [ "$(degradation $name)" -le 5 ] || fail "$name: $(degradation $name)%"; done

build/wcr report --experiments "$db" -o "$work/page.html" || fail "the page"
[ "$(grep -o '>met<' "$work/page.html" | wc -l)" -eq 3 ] || fail "the page does not say that its targets are met"
