# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel of domain 0 and of the guest. In the artefact: bzImage, and build/, the tree
# that SystemTap compiles against, with vmlinux, without what was compiled from.

linux_key()
{
    echo "source $LINUX_SOURCE_ID"
    key_tool gcc --version
    key_tool ld --version
    key_files testbed/build/linux.sh testbed/build/linux.config
    [ "$STOCK" = 1 ] || key_files warmcache-core/linux warmcache-core/include/wcr_abi.h
}

linux_unpack()
{
    local top=${LINUX_TARBALL%.tar.xz} skip=() arch dir
    # Kconfig and Makefiles are wanted of all drivers, the code of these is not.
    for dir in drivers/gpu drivers/media drivers/staging drivers/infiniband drivers/iio sound; do
        skip+=("--exclude=$top/$dir/*.[chS]")
    done
    for arch in alpha arc arm arm64 csky hexagon ia64 loongarch m68k microblaze mips nios2 \
        openrisc parisc powerpc riscv s390 sh sparc xtensa; do
        skip+=("--exclude=$top/arch/$arch/*.[chS]" "--exclude=$top/arch/$arch/*.dts*")
    done
    mkdir "$1"
    tar -xJf "$LINUX_SOURCE" -C "$1" --strip-components=1 --wildcards-match-slash "${skip[@]}" \
        "--exclude=$top/tools/testing" "--exclude=$top/tools/perf" "--exclude=$top/Documentation/*/*"
}

# QEMU leaves its translated code at every PAUSE: a processor that spins on a lock takes 50 times as long as
# its clock shows, and a recording of that is gigabytes.
linux_no_pause()
{
    local header=$1/arch/x86/include/asm/vdso/processor.h
    sed -i 's/"rep; nop"/""/' "$header"
    grep -q 'asm volatile("" ::: "memory")' "$header" || fail "$header: rep_nop() is not what it was"
}

linux_build()
{
    local tree=$1/build fragment=$1/fragment make_linux map
    linux_unpack "$tree"
    linux_no_pause "$tree"
    cp "$BUILD/linux.config" "$fragment"
    if [ "$STOCK" = 0 ]; then
        "$ROOT/warmcache-core/linux/apply.sh" "$tree"
        [ ! -e "$ROOT/warmcache-core/linux/config" ] || cat "$ROOT/warmcache-core/linux/config" >>"$fragment"
    fi
    export KBUILD_BUILD_TIMESTAMP='Thu Jan  1 00:00:00 UTC 2026'
    export KBUILD_BUILD_USER=wcr KBUILD_BUILD_HOST=wcr KBUILD_BUILD_VERSION=1
    cd "$tree"
    # The debug information names files relative to the tree, wherever that is.
    map=-fdebug-prefix-map=$tree=.
    compiler_cache "$tree"
    make_linux=(make ARCH=x86 "CC=$COMPILER" "KCFLAGS=$map" "KAFLAGS=$map")
    "${make_linux[@]}" "KCONFIG_ALLCONFIG=$fragment" allnoconfig
    config_check .config "$fragment"
    "${make_linux[@]}" -j"$JOBS" bzImage modules
    cp -L arch/x86/boot/bzImage "$1/bzImage"
    cp .config "$1/config"
    linux_prune
}

# What compiles a module stays: headers, kbuild, its host programs, vmlinux.
linux_prune()
{
    find . -type f \
        ! -path './include/*' ! -path './arch/x86/include/*' ! -path './scripts/*' \
        ! -path './arch/x86/Makefile*' ! -path './tools/objtool/objtool' \
        ! -path './Makefile' ! -path './Kbuild' ! -path './.config' ! -path './Module.symvers' \
        ! -path './System.map' ! -path './vmlinux' ! -path './arch/x86/entry/syscalls/*' \
        ! -name 'Kconfig*' ! -path './kernel/bounds.c' ! -path './arch/x86/kernel/asm-offsets.[cs]' \
        ! -path './scripts/module.lds' -delete
    find scripts -name '*.o' -delete
    find . -depth -type d -empty -delete
}
