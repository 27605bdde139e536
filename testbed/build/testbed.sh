#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: testbed.sh BUILD-DIR
# Builds Xen, Linux, domain 0's and the guest's images, or takes them from the cache, and
# writes BUILD-DIR/testbed.env, which names them.
. "$(dirname -- "$0")/lib.sh"
for part in sources xen linux; do
    # shellcheck source=/dev/null
    . "$BUILD/$part.sh"
done
cache_open
xen_source
linux_source
cached XEN xen "$(xen_key)" xen_build
cached LINUX linux "$(linux_key)" linux_build
