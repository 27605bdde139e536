#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Catches: an experiment that does not run any more, a warm guest that is slower than it was or a burden to
# its neighbour, a cold one that is not, a disk as fast as the day wants it, a page without their numbers.
set -eu
cd "$(dirname -- "$0")/../../.."
work=$(mktemp -d /var/tmp/wcr-experiment-XXXXXX)
trap 'rm -rf "$work"' EXIT
db=$work/db

fail() { echo "not ok: $*"; exit 1; }

build/wcr experiment file-read --file-mb 64 --disk published --db "$db" || fail "file-read"
build/wcr experiment neighbour --file-mb 16 --disk published --db "$db" || fail "neighbour"

# METRIC CONFIGURATION: in whole percent.
percent()
{
    sqlite3 "$db" "SELECT CAST(100 * value AS INTEGER) FROM experiment_latest
        WHERE metric = '$1' AND configuration = '$2'"
}
at_least() { [ "$(percent "$1" "$2")" -ge "$3" ] || fail "$2: $1 $(percent "$1" "$2")%, not $3 at least"; }
at_most() { [ "$(percent "$1" "$2")" -le "$3" ] || fail "$2: $1 $(percent "$1" "$2")%, not $3 at most"; }

for name in normal file-backed; do at_least degradation $name 50; done
for name in warm warm-planned file-backed-warm; do at_most degradation $name 5; done
# Four readers get all the disk has: a tenth of what the server delivers.
share=$((100 * $(percent neighbour_before warm) / $(percent before warm)))
[ "$share" -ge 9 ] && [ "$share" -le 11 ] || fail "the disk has $share% of what the server delivers, not 10"
# What the neighbour cannot read is what the server reads: of 16 MB, when it boots cold.
for name in normal prefetch; do at_least neighbour_lost $name 1000; done
at_most neighbour_lost warm 300

build/wcr report --experiments "$db" -o "$work/page.html" || fail "the page"
[ "$(grep -o '>met<' "$work/page.html" | wc -l)" -ge 3 ] || fail "the page does not say that its targets are met"
