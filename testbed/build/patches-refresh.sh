#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Write the patches of Xen and Linux afresh: against the pinned sources, in one form.
. "$(dirname -- "$0")/lib.sh"
. "$BUILD/sources.sh"
. "$BUILD/patches.sh"

xen_files
linux_files
xen_refresh write && linux_refresh write
