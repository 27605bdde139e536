#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make patches-refresh, on a source of one file.
# Catches: upstream's own files patched, behind a symbolic link; a refreshed patch that does not
# apply without fuzz, or lost its header; one that is rewritten each time; a patch that does not
# apply and is not named, with its rejects.
. "$(dirname -- "$0")/../build/lib.sh"
. "$BUILD/patches.sh"

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
tests=0
result()
{
    tests=$((tests + 1))
    [ "$1" -eq 0 ] || { cat "$dir/log"; printf "not "; }
    echo "ok $tests - $2"
}
refresh() { series_refresh "$dir/patches" "$dir/upstream" "$dir/work" "$1" >"$dir/log" 2>&1; }

mkdir -p "$dir/cache/upstream/drivers" "$dir/patches"
ln -s "$dir/cache/upstream" "$dir/upstream"
source=$dir/upstream/drivers/disk.c
printf '%s\n' 'int open(void)' '{' a b c d e f '}' 'int close(void)' '{' k l m n o p '}' >"$source"
printf '# Comment.\none.patch\ntwo.patch\n' >"$dir/patches/series"
# As git writes one, and as quilt does.
cat >"$dir/patches/one.patch" <<'P'
Why one.

diff --git a/drivers/disk.c b/drivers/disk.c
index 0123456789ab..ba9876543210 100644
--- a/drivers/disk.c
+++ b/drivers/disk.c
@@ -3,6 +3,7 @@ int open(void)
 a
 b
 c
+one
 d
 e
 f
P
cat >"$dir/patches/two.patch" <<'P'
Why two.

Index: linux/drivers/disk.c
===================================================================
--- linux.orig/drivers/disk.c	2026-01-01 00:00:00.000000000 +0000
+++ linux/drivers/disk.c	2026-01-01 00:00:00.000000000 +0000
@@ -13,6 +13,7 @@
 k
 l
 m
+two
 n
 o
 p
P

refresh check
[ $? -eq 1 ] && grep -q 'one.patch is not fresh' "$dir/log" && grep -q 'two.patch is not fresh' "$dir/log"
result $? "what git and quilt add is not fresh"

# Upstream moves on: four lines before, and a line changes near the first hunk.
sed -i -e '1i #include <a>\n#include <b>\n#include <c>\n#include <d>' -e 's/^a$/A/' "$source"
refresh write && grep -q '^one.patch: refreshed$' "$dir/log" &&
    grep -q '^one.patch: drivers/disk.c: hunk 1 applied, but what is around it has changed' "$dir/log"
result $? 'a patch with an offset and fuzz is written afresh, and fuzz is told'

cat >"$dir/expected" <<'P'
Why one.

--- a/drivers/disk.c
+++ b/drivers/disk.c
@@ -7,6 +7,7 @@ int open(void)
 A
 b
 c
+one
 d
 e
 f
Why two.

--- a/drivers/disk.c
+++ b/drivers/disk.c
@@ -17,6 +17,7 @@ int close(void)
 k
 l
 m
+two
 n
 o
 p
P
cat "$dir"/patches/*.patch | diff -u "$dir/expected" - >"$dir/log"
result $? 'they have their headers, new line numbers, and nothing else'

cp -r "$dir/upstream/." "$dir/tree"
for patch in one two; do
    patch -d "$dir/tree" -p1 -F0 <"$dir/patches/$patch.patch" || break
done >"$dir/log" 2>&1 && grep -c -e '^one$' -e '^two$' "$dir/tree/drivers/disk.c" | grep -qx 2
result $? 'the series applies without fuzz'

touch -d '1 hour ago' "$dir/before"
touch -d '2 hours ago' "$dir"/patches/*.patch
refresh write && [ ! -s "$dir/log" ] && [ -z "$(find "$dir/patches" -name '*.patch' -newer "$dir/before")" ] &&
    refresh check
result $? 'once more, nothing is written'

sed -i 's/^[mn]$/gone/' "$source"
cp "$dir/patches/two.patch" "$dir/two.before"
refresh write
[ $? -eq 1 ] && [ -s "$dir/work/tree/drivers/disk.c.rej" ] && cmp "$dir/two.before" "$dir/patches/two.patch" &&
    grep -q "^two.patch: drivers/disk.c: hunk 1 does not apply at line [0-9]*; see $dir/work/tree/drivers/disk.c.rej$" "$dir/log"
result $? 'what does not apply is named: patch, file, hunk, rejects'

sed -i 's/^@@ .*/@@ -1,9 +1,9 @@/' "$dir/patches/one.patch"
refresh write
[ $? -eq 1 ] && grep -q '^one.patch: patch: .*malformed' "$dir/log"
result $? 'a malformed patch is named'

echo "1..$tests"
