# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The hypervisor: Debian's source, the mechanism laid over it, a lean configuration.
# In the artefact: xen (for QEMU's -kernel), xen-syms (for gdb), config.

xen_key()
{
    echo "source $XEN_SOURCE_ID"
    echo "debug ${WCR_XEN_DEBUG:-0}"
    key_tool gcc --version
    key_tool ld --version
    key_files testbed/build/xen.sh testbed/build/xen.config
    [ "$STOCK" = 1 ] || key_files warmcache-core/xen warmcache-core/src warmcache-core/include
}

xen_build()
{
    local tree=$1/tree
    dpkg-source --no-check -x "$XEN_SOURCE/xen_$XEN_VERSION.dsc" "$tree"
    [ "$STOCK" = 1 ] || "$ROOT/warmcache-core/xen/apply.sh" "$tree"
    # What would differ from day to day and from machine to machine.
    export XEN_BUILD_DATE='Thu Jan  1 00:00:00 UTC 2026' XEN_BUILD_TIME=00:00:00
    export XEN_BUILD_HOST=wcr XEN_WHOAMI=wcr XEN_DOMAIN=wcr
    cd "$tree/xen"
    compiler_cache "$tree"
    make XEN_TARGET_ARCH=x86_64 defconfig
    grep -v '^# [^C]' "$BUILD/xen.config" >>.config
    if [ "${WCR_XEN_DEBUG:-0}" = 1 ]; then
        echo CONFIG_DEBUG=y >>.config
    fi
    make XEN_TARGET_ARCH=x86_64 olddefconfig
    config_check .config "$BUILD/xen.config"
    make -j"$JOBS" XEN_TARGET_ARCH=x86_64 "CC=$COMPILER"
    cp xen xen-syms "$1/"
    cp .config "$1/config"
    cd "$1"
    rm -rf "$tree"
}
