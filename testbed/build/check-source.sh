#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: check-source.sh CC
# What can be told from the sources alone: a licence in each, no leftovers, no page
# mentioned that is not there, a reference of the hypercall that is its header's, and a core
# that compiles without libc.
set -u

cc=${1:-gcc}
bad=0
complain() { echo "check-source: $*" >&2; bad=1; }

# The checkout may be another user's, as in a container: git would not look into it.
git() { command git -c safe.directory="$(pwd -P)" "$@"; }

sources=('*.c' '*.h' '*.sh' '*.mk' '*.sql' '*.stp' Makefile)
if ! list=$(git ls-files -- "${sources[@]}") || [ -z "$list" ]; then
    echo "check-source: git does not list the sources of $PWD: nothing can be checked" >&2
    exit 2
fi
mapfile -t files <<<"$list"
for f in "${files[@]}"; do
    [ -e "$f" ] || continue
    head -n 3 "$f" | grep -q 'SPDX-License-Identifier:' || complain "$f: no SPDX-License-Identifier in its first lines"
done
marks=$(git grep -nwE 'TODO|FIX''ME|XXX|HACK' -- "${sources[@]}" |
    grep -v '^testbed/build/check-source.sh:')
[ -z "$marks" ] || complain "left over:
$marks"

# "FILE:LINE:docs/PAGE", but not of paths that only end so, as in URLs.
pages=$(git grep -nIE '(^|[^[:alnum:]_./-])docs/[[:alnum:]_./-]*\.(md|[1-8])\b' -- . |
    awk -F: '{
        rest = substr($0, length($1) + length($2) + 3)
        while (match(rest, /(^|[^[:alnum:]_.\/-])docs\/[[:alnum:]_.\/-]*\.(md|[1-8])/)) {
            page = substr(rest, RSTART, RLENGTH)
            sub(/^[^d]/, "", page)
            print $1 ":" $2 ":" page
            rest = substr(rest, RSTART + RLENGTH)
        }
    }')
while IFS=: read -r file line page; do
    [ -z "$page" ] || [ -e "$page" ] || complain "$file:$line: $page is not there"
done <<<"$pages"

warmcache-core/tools/abi-doc warmcache-core/include/wcr_abi.h | cmp -s - docs/hypercall.md ||
    complain "docs/hypercall.md is not what warmcache-core/include/wcr_abi.h says: make docs"

# The compiler's own headers are what a hypervisor has, too.
inc=$("$cc" -print-file-name=include)
stub=$(mktemp -d) || exit 2
trap 'rm -rf "$stub"' EXIT
cat >"$stub/string.h" <<'S'
#include <stddef.h>
void *memset(void *s, int c, size_t n);
void *memcpy(void *restrict d, const void *restrict s, size_t n);
void *memmove(void *d, const void *s, size_t n);
int memcmp(const void *a, const void *b, size_t n);
S
printf '#include "%s"\n#include "%s"\n' /usr/include/asm-generic/errno-base.h \
    /usr/include/asm-generic/errno.h | sed 's/#include <asm-generic.*//' >"$stub/errno.h"
mkdir "$stub/asm-generic" && cp /usr/include/asm-generic/errno-base.h "$stub/asm-generic/"
for f in warmcache-core/src/*.c; do
    [ -e "$f" ] || continue
    "$cc" -std=gnu17 -O2 -Wall -Wextra -Werror -ffreestanding -nostdinc -I"$stub" -isystem "$inc" \
        -Iwarmcache-core/include -c -o "$stub/core.o" "$f" || complain "$f does not compile freestanding"
done
exit $bad
