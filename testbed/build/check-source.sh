#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: check-source.sh CC
# What can be told from the sources alone: a licence in each, no leftovers, and a core
# that compiles without libc.
set -u

cc=${1:-gcc}
bad=0
complain() { echo "check-source: $*" >&2; bad=1; }

mapfile -t files < <(git ls-files -- '*.c' '*.h' '*.sh' '*.mk' '*.sql' '*.stp' Makefile 2>/dev/null)
for f in "${files[@]}"; do
    [ -e "$f" ] || continue
    head -n 3 "$f" | grep -q 'SPDX-License-Identifier:' || complain "$f: no SPDX-License-Identifier in its first lines"
done
marks=$(git grep -nwE 'TODO|FIX''ME|XXX|HACK' -- '*.c' '*.h' '*.sh' '*.mk' '*.sql' '*.stp' Makefile 2>/dev/null |
    grep -v '^testbed/build/check-source.sh:')
[ -z "$marks" ] || complain "left over:
$marks"

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
