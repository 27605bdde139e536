# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: GPL-2.0-or-later
# The sources of the testbed: Debian packages of a version, and their checksums.

LINUX_PACKAGE=linux-source-6.1
LINUX_VERSION=6.1.192-2
LINUX_TARBALL=linux-source-6.1.tar.xz
LINUX_SHA256=4d415b3d364834fd818270e88813e90323bbfce4f519a0e6bd4940ddcd7df693

XEN_VERSION=4.17.5+72-g01140da4e8-1
XEN_FILES="
f13956b67fb7a65707c2b0620d89b41ee5d203434dd7bb913017356791ee66c1 xen_4.17.5+72-g01140da4e8-1.dsc
53922f4d0a02c577f2ea9d63f65989cd88715779eebeed879ca1d314103ee06e xen_4.17.5+72-g01140da4e8.orig.tar.xz
5bcf3812c64585e270e0b3fa6ee8fd16dff7b9bc0f61375d648c64672484c4d9 xen_4.17.5+72-g01140da4e8-1.debian.tar.xz
"

# A kernel as Debian ships it, for a guest, and its symbols.
DEBIAN_KERNEL=6.1.0-56-cloud-amd64
DEBIAN_VERSION=6.1.192-2
DEBIAN_FILES="
e7d02b943971edcb8790e256c02cfab3bca6c3d37c1bf25392a57c71300615ee linux-image-6.1.0-56-cloud-amd64_6.1.192-2_amd64.deb
a835edf97e22ec84ddcd4d773596376be9eaae0c5094053b14c8e557cf9d8fb7 linux-image-6.1.0-56-cloud-amd64-dbg_6.1.192-2_amd64.deb
"
