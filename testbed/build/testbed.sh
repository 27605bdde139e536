#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: testbed.sh BUILD-DIR [ENV-FILE]
#
# Builds Xen, Linux, domain 0's and the guest's images, or takes them from the cache, and
# writes ENV-FILE (BUILD-DIR/testbed.env), which names them. WCR_STOCK=1: without the mechanism.
# WCR_GUEST=debian: the guest's kernel is one of Debian's, without the mechanism, too.
. "$(dirname -- "$0")/lib.sh"
for part in sources xen linux debian dom0 guest; do
    # shellcheck source=/dev/null
    . "$BUILD/$part.sh"
done

[ $# -ge 1 ] && [ $# -le 2 ] && [ -d "$1" ] || fail "usage: testbed.sh BUILD-DIR [ENV-FILE]"
OUT=$(cd "$1" && pwd)
ENV_FILE=${2:-$OUT/testbed.env}
[ -x "$OUT/wcr-agent" ] && [ -x "$OUT/guest/init" ] ||
    fail "$OUT has no wcr-agent and guest/init: run 'make testbed', which builds them first"

# The guest's kernel, and modules for it. SystemTap and the hostile guest's want a tree to build in.
guest_kernel()
{
    DOM0_KERNEL=$LINUX/bzImage
    STAP= STAP_HASH= HOSTILE= HOSTILE_HASH=
    case ${WCR_GUEST:-} in
    debian)
        debian_source
        cached LINUX debian "$(debian_key)" debian_build
        return
        ;;
    '') ;;
    *) fail "WCR_GUEST=$WCR_GUEST: expected debian" ;;
    esac
    cached STAP stap "$(stap_key)" stap_build
    cached HOSTILE hostile "$(hostile_key)" hostile_build
}

# Names and hashes of everything that was built. Complete or not there.
write_env()
{
    local file=$ENV_FILE
    mkdir -p "$(dirname "$file")" || fail "cannot write $file"
    {
        echo "# What 'make testbed' built. Written by it; changes here are lost."
        cat <<EOF
WCR_XEN=$XEN/xen
WCR_XEN_SYMS=$XEN/xen-syms
WCR_XEN_HASH=$XEN_HASH
WCR_DEBUG_XEN=${DEBUG_XEN:+$DEBUG_XEN/xen}
WCR_KERNEL=$DOM0_KERNEL
WCR_VMLINUX=$LINUX/build/vmlinux
WCR_KERNEL_BUILD=$LINUX/build
WCR_LINUX_HASH=$LINUX_HASH
WCR_DOM0_IMAGE=$DOM0/dom0.img
WCR_DOM0_HASH=$DOM0_HASH
WCR_STAP=${STAP:+$STAP/modules}
WCR_STAP_HASH=$STAP_HASH
WCR_GUEST_INITRD=$INITRD/guest-initrd.img
WCR_INITRD_HASH=$INITRD_HASH
WCR_DATA_IMAGE=$DATA/data.img
WCR_DATA_HASH=$DATA_HASH
WCR_TOOLS_IMAGE=$TOOLS/tools.img
WCR_TOOLS_HASH=$TOOLS_HASH
WCR_STOCK=$STOCK
EOF
    } >"$file.new" && mv "$file.new" "$file" || fail "cannot write $file"
    say "testbed: $file"
}

# As one command, so that an edit of this file does not reach a build that runs.
{
    cache_open
    xen_source
    linux_source
    cached XEN xen "$(xen_key)" xen_build
    if [ "$STOCK" = 0 ]; then
        WCR_XEN_DEBUG=1
        cached DEBUG_XEN xen-debug "$(xen_key)" xen_build
    fi
    cached DOM0 dom0 "$(dom0_key)" dom0_build
    cached LINUX linux "$(linux_key)" linux_build
    guest_kernel
    cached INITRD initrd "$(initrd_key)" initrd_build
    cached DATA data "$(data_key)" data_build
    cached TOOLS tools "$(tools_key)" tools_build
    write_env
    exit 0
}
