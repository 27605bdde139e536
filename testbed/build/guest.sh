# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest: modules against its kernel (SystemTap's, the hostile guest's), its initrd, its data disk; and the disk of
# tools, which has what domain 0 and the guest run, so that a change there leaves domain 0's
# image as it is.

key_systemtap()
{
    key_packages systemtap systemtap-common systemtap-runtime
}

stap_key()
{
    echo "linux $LINUX_HASH"
    key_tool gcc --version
    key_systemtap
    key_files injector/stap
    sed -n '/^stap_/,/^}/p' "$BUILD/guest.sh"
}

# As many classes at a time as there are processors.
stap_build()
{
    local class pids=() pid failed=0
    mkdir tmp modules
    for class in "$ROOT"/injector/stap/*.stp; do
        class=$(basename "$class" .stp)
        [ "$class" != common ] || continue
        while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do sleep 0.1; done
        # SystemTap keeps what it compiled in its home, unless that is elsewhere.
        HOME=$1/tmp SYSTEMTAP_DIR=$1/tmp/$class "$ROOT/injector/stap/build.sh" "$LINUX/build" modules "$class" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || failed=1
    done
    rm -rf tmp
    return $failed
}

hostile_key()
{
    echo "linux $LINUX_HASH"
    key_tool gcc --version
    key_files warmcache-core/tests/hostile
    sed -n '/^hostile_/,/^}/p' "$BUILD/guest.sh"
}

hostile_build()
{
    # A kernel without the mechanism has nothing to be hostile to.
    [ "$STOCK" = 1 ] || "$ROOT/warmcache-core/tests/hostile/build.sh" "$LINUX/build" .
}

# staprun, what it runs, and the libraries of both.
initrd_programs()
{
    local program
    for program in /usr/bin/staprun /usr/lib/systemtap/stapio /usr/libexec/systemtap/stapio; do
        [ -x "$program" ] && readlink -e "$program"
    done
}

initrd_libraries()
{
    # shellcheck disable=SC2046
    ldd $(initrd_programs) | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^[ \t]*\(\/lib[^ ]*\) (.*/\1/p' | sort -u
}

initrd_key()
{
    echo "linux $LINUX_HASH"
    echo "stap $STAP_HASH"
    echo "hostile $HOSTILE_HASH"
    key_systemtap
    sed -n '/^initrd_/,/^}/p; /^strip_/,/^}/p; /^pack_/,/^}/p' "$BUILD/guest.sh"
    # shellcheck disable=SC2046
    sha256sum $(initrd_libraries)
    guest_programs_key
}

# The hash of what a program does, not of where it was built.
program_hash()
{
    objcopy --strip-all --remove-section=.note.gnu.build-id "$1" "$CACHE/tmp.program" &&
        sha256sum <"$CACHE/tmp.program" | cut -c1-64
    rm -f "$CACHE/tmp.program"
}

guest_programs_key()
{
    local p
    for p in "$OUT"/guest/*; do
        [ -x "$p" ] && echo "program $(basename "$p") $(program_hash "$p")"
    done
}

# strip_program FROM TO: without what tells the place it was built at.
strip_program()
{
    objcopy --strip-all --remove-section=.note.gnu.build-id "$1" "$2"
    chmod 755 "$2"
}

initrd_build()
{
    local p
    mkdir -p root/{dev,proc,sys,tmp,data,bin,usr/bin,usr/lib/systemtap,usr/libexec/systemtap,lib64,lib/wcr/{boot,stap}}
    for p in "$OUT"/guest/*; do
        if [ "$(basename "$p")" = init ]; then
            strip_program "$p" root/init
        else
            strip_program "$p" "root/bin/$(basename "$p")"
        fi
    done
    for p in $(initrd_programs); do
        mkdir -p "root/$(dirname "$p")"
        cp "$p" "root/$p"
    done
    for p in $(initrd_libraries); do
        mkdir -p "root/$(dirname "$p")"
        cp -L "$p" "root/$p"
    done
    [ ! -e "$LINUX/modules" ] || cp "$LINUX"/modules/*.ko root/lib/wcr/boot/
    [ -z "$STAP" ] || cp "$STAP"/modules/*.ko root/lib/wcr/stap/
    [ -z "$HOSTILE" ] || [ "$STOCK" = 1 ] || cp "$HOSTILE/wcr_fuzz.ko" root/lib/wcr/
    pack_cpio root guest-initrd.img
    rm -rf root
}

# The same bytes whenever and wherever it is packed.
pack_cpio()
{
    find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    (cd "$1" && find . -print0 | sort -z | cpio -0 -o -H newc --reproducible -R 0:0 --quiet) | gzip -n -6 >"$2"
}

data_key()
{
    key_packages e2fsprogs
    sed -n '/^data_/,/^}/p' "$BUILD/guest.sh"
}

data_build()
{
    make_ext4 data.img 128M 3b9b4c86-7d5e-4c1c-9f7c-8d0a6f5c7701 -b 4096
}

# The agent and its like, built by make.
tools_programs()
{
    printf '%s\n' "$OUT/wcr-agent"
    find "$OUT/dom0" -maxdepth 1 -type f -executable 2>/dev/null | sort
}

tools_key()
{
    local p
    echo "linux $LINUX_HASH"
    echo "initrd $INITRD_HASH"
    echo "dom0 $DOM0_HASH"
    for p in $(tools_programs); do
        echo "program $(basename "$p") $(program_hash "$p")"
    done
    sed -n '/^tools_/,/^}/p; /^strip_/,/^}/p' "$BUILD/guest.sh"
}

tools_build()
{
    local p name
    mkdir -p root/bin
    for p in $(tools_programs); do
        for name in $(objdump -p "$p" | awk '$1 == "NEEDED" { print $2 }'); do
            grep -qxF "$name" "$DOM0/libraries" ||
                fail "$(basename "$p") needs $name, which domain 0 does not have: add it to testbed/dom0/files.txt"
        done
        strip_program "$p" "root/bin/$(basename "$p")"
    done
    cp "$LINUX/bzImage" root/guest-vmlinuz
    cp "$INITRD/guest-initrd.img" root/guest-initrd.img
    find root -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    make_ext4 tools.img "$(($(du -sm root | cut -f1) + 8))M" 3b9b4c86-7d5e-4c1c-9f7c-8d0a6f5c7702 \
        -b 4096 -O ^has_journal -d root
    rm -rf root
}
