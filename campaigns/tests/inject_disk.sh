#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: inject_disk.sh IMAGE WCR VMLINUX MODULE
# A disk for domain 0 with wcr, the libraries it needs, the symbols of the guest's kernel,
# those of another kernel that differs in its build id, and the module.
set -eu

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir "$root/lib"
# shellcheck disable=SC2046
cp -L $(ldd "$2" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^[ \t]*\(\/lib[^ ]*\) (.*/\1/p') "$root/lib"
strip -o "$root/wcr" "$2"
objcopy --strip-debug "$3" "$root/vmlinux"
id=$(readelf -n "$3" | sed -n 's/.*Build ID: //p')
perl -0777 -pe '$id = pack("H*", "'"$id"'"); s/\Q$id/reverse($id)/eg' "$root/vmlinux" >"$root/other-vmlinux"
cp "$4" "$root/module.ko"
truncate -s "$(($(du -sm "$root" | cut -f1) + 8))M" "$1"
mke2fs -q -F -t ext4 -O ^has_journal -d "$root" "$1"
