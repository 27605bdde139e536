#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Lay the warm-cache mechanism over an unpacked Xen source tree: the overlay,
# the shared core and ABI, and the hooks of the patch series.
set -eu

[ $# -eq 1 ] && [ -f "$1/xen/arch/x86/mm.c" ] || {
    echo "usage: $0 TREE  (the top of an unpacked Xen source tree)" >&2
    exit 2
}
tree=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
core=$here/..

cp -r "$here/overlay/." "$tree/"
cp "$core"/src/* "$core/include/core.h" "$core/include/wcr_abi.h" "$tree/xen/arch/x86/warmcache/"
while read -r patch; do
    case $patch in ''|'#'*) continue ;; esac
    patch -d "$tree" -p1 --fuzz=0 --no-backup-if-mismatch -s <"$here/patches/$patch"
done <"$here/patches/series"
