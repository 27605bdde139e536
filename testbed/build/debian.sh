# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A kernel as Debian ships it, for the guest. In the artefact, as of a kernel of our own: bzImage and
# build/vmlinux; and modules/, what the guest cannot do without, in the order of their names.

# Both packages, into $CACHE/sources.
debian_source()
{
    local sum name
    while read -r sum name; do
        [ -n "$name" ] && ! source_verified "$CACHE/sources/$name" "$sum" || continue
        need_space 1500 "$DEBIAN_KERNEL"
        say "debian: fetching ${name%%_*} $DEBIAN_VERSION"
        (cd "$CACHE/sources" &&
            apt-get -q -o APT::Sandbox::User=root download "${name%%_*}=$DEBIAN_VERSION") \
            >"$CACHE/log/debian-source.log" 2>&1 || {
            tail -n 5 "$CACHE/log/debian-source.log" >&2
            fail "expected ${name%%_*} $DEBIAN_VERSION; apt has: $(apt-cache madison "${name%%_*}" 2>/dev/null | cut -d'|' -f2 | tr -d '\n').
  Try 'apt-get update'; or put $name into $CACHE/sources; or pin another version: testbed/packages/pins.sh"
        }
        source_verified "$CACHE/sources/$name" "$sum" ||
            fail "$CACHE/sources/$name: the checksum is not $sum (testbed/packages/pins.sh)"
    done <<<"$DEBIAN_FILES"
}

debian_key()
{
    echo "packages $DEBIAN_FILES"
    key_files testbed/build/debian.sh
}

# debian_unpack PACKAGE MEMBER...
debian_unpack()
{
    local package=$1
    shift
    dpkg-deb --fsys-tarfile "$CACHE/sources/${package}_${DEBIAN_VERSION}_amd64.deb" | tar -x "$@"
}

debian_build()
{
    local n=0 word path
    debian_unpack "linux-image-$DEBIAN_KERNEL" "./boot/vmlinuz-$DEBIAN_KERNEL" "./lib/modules/$DEBIAN_KERNEL"
    debian_unpack "linux-image-$DEBIAN_KERNEL-dbg" "./usr/lib/debug/boot/vmlinux-$DEBIAN_KERNEL"
    mkdir build modules
    mv "boot/vmlinuz-$DEBIAN_KERNEL" bzImage
    mv "usr/lib/debug/boot/vmlinux-$DEBIAN_KERNEL" build/vmlinux
    depmod -b . "$DEBIAN_KERNEL"
    # Each after those it needs.
    while read -r word path; do
        [ "$word" != insmod ] || cp "$path" "modules/$(printf %02d $((n++)))-${path##*/}"
    done < <(modprobe -d . -S "$DEBIAN_KERNEL" --show-depends xen-blkfront)
    rm -rf boot lib usr
    ls modules/*-xen-blkfront.ko
}
