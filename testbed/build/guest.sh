# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest: SystemTap modules against its kernel, its initrd, its data disk.

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

# Debian's SystemTap knows a function of late 6.1 kernels by its former name.
stap_runtime()
{
    cp -r /usr/share/systemtap/runtime "$1"
    sed -i -e 's/kallsyms_lookup_name("task_work_cancel")/kallsyms_lookup_name("task_work_cancel_func")/' \
        -e 's/typeof(&task_work_cancel)/typeof(\&task_work_cancel_func)/' \
        "$1/stp_task_work.c"
}

# One script to one module of the same name.
stap_compile()
{
    local script=$1 name
    name=$(basename "$script" .stp)
    echo "stap: $name"
    mkdir "$PWD/tmp-$name"
    # A module's name is lower case; the file is found by the class.
    TMPDIR=$PWD/tmp-$name stap -R "$PWD/runtime" -g -p4 -r "$LINUX/build" -DMAXSKIPPED=1000000 \
        -DSTP_NO_OVERLOAD --disable-cache -I "$ROOT/injector/stap/lib" -m "wcr_${name,,}" "$script"
    strip --strip-debug "wcr_${name,,}.ko"
    mv "wcr_${name,,}.ko" "modules/$name.ko"
    rm -rf "tmp-$name"
}

stap_build()
{
    local script pids=() pid failed=0
    stap_runtime runtime
    mkdir modules
    for script in "$ROOT"/injector/stap/*.stp; do
        [ -e "$script" ] || break
        # As many at a time as there are processors.
        while [ "$(jobs -rp | wc -l)" -ge "$JOBS" ]; do sleep 0.1; done
        stap_compile "$script" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        wait "$pid" || failed=1
    done
    rm -rf runtime
    return $failed
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
    echo "stap $STAP_HASH"
    key_systemtap
    key_files testbed/build/guest.sh
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
    mkdir -p root/{dev,proc,sys,tmp,data,bin,usr/bin,usr/lib/systemtap,usr/libexec/systemtap,lib64,lib/wcr/stap}
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
    cp "$STAP"/modules/*.ko root/lib/wcr/stap/ 2>/dev/null || true
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
