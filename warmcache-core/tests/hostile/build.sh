#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: build.sh KERNEL_BUILD OUTDIR
# Compile the hostile guest's module against a kernel: OUTDIR/wcr_fuzz.ko.
set -eu

build=$(cd "$1" && pwd)
out=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

cp "$here"/*.[ch] "$tmp"
# Every command that the header knows.
sed -n 's/^#define WCR_OP_\([a-z_]*\) .*/COMMAND(\1)/p' "$build/include/xen/interface/wcr_abi.h" >"$tmp/commands.h"
[ -s "$tmp/commands.h" ] || { echo "$build: no wcr_abi.h with commands in it" >&2; exit 1; }
cat >"$tmp/Makefile" <<'M'
obj-m := wcr_fuzz.o
wcr_fuzz-y := main.o calls.o work.o
ccflags-y := -Werror
M
make -s -C "$build" M="$tmp" modules
strip --strip-debug "$tmp/wcr_fuzz.ko"
mv "$tmp/wcr_fuzz.ko" "$out"
