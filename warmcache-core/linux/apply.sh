#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Lay the warm-cache mechanism over an unpacked Linux source tree: the overlay,
# the hypercall ABI, and the hooks of the patch series.
set -eu

[ $# -eq 1 ] && [ -f "$1/arch/x86/xen/setup.c" ] || {
    echo "usage: $0 TREE  (the top of an unpacked Linux source tree)" >&2
    exit 2
}
tree=$1
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

cp -r "$here/overlay/." "$tree/"
cp "$here/../include/wcr_abi.h" "$tree/include/xen/interface/"
while read -r patch; do
    case $patch in ''|'#'*) continue ;; esac
    patch -d "$tree" -p1 --fuzz=0 --no-backup-if-mismatch -s <"$here/patches/$patch"
done <"$here/patches/series"
