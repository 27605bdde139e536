# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Pinned sources, from Debian's packages, into $CACHE/sources.

# source_whole FILE SHA256
source_whole()
{
    [ -f "$1" ] && [ "$(sha256sum <"$1" | cut -c1-64)" = "$2" ]
}

# A file that was verified and has not changed since (size, time) is not read again.
source_verified()
{
    local now
    now=$(stat -c '%s %Y %i' "$1" 2>/dev/null) || return 1
    [ "$(cat "$1.verified" 2>/dev/null)" = "$2 $now" ] && return 0
    source_whole "$1" "$2" && echo "$2 $now" >"$1.verified"
}

# Without fetching anything?
linux_source_here()
{
    [ -f "$CACHE/sources/$LINUX_TARBALL" ] ||
        [ "$(dpkg-query -W -f '${Version}' "$LINUX_PACKAGE" 2>/dev/null)" = "$LINUX_VERSION" ]
}

xen_source_here() { [ -f "$CACHE/sources/xen_$XEN_VERSION.dsc" ]; }

# LINUX_SOURCE: the tarball. An installed package of another version is not taken, unless
# WCR_LINUX_ANY=1.
linux_source()
{
    local file=$CACHE/sources/$LINUX_TARBALL installed=/usr/src/$LINUX_TARBALL version
    LINUX_SOURCE=$file
    LINUX_SOURCE_ID="$LINUX_PACKAGE $LINUX_VERSION $LINUX_SHA256"
    version=$(dpkg-query -W -f '${Version}' "$LINUX_PACKAGE" 2>/dev/null) || version=
    if [ "${WCR_LINUX_ANY:-0}" = 1 ] && [ -n "$version" ] && [ -f "$installed" ]; then
        LINUX_SOURCE=$installed
        LINUX_SOURCE_ID="$LINUX_PACKAGE $version $(sha256sum <"$installed" | cut -c1-64)"
        [ "$version" = "$LINUX_VERSION" ] ||
            say "linux: $LINUX_PACKAGE $version instead of $LINUX_VERSION, as WCR_LINUX_ANY asks: patches may not apply"
        return 0
    fi
    source_verified "$file" "$LINUX_SHA256" && return 0
    if [ "$version" = "$LINUX_VERSION" ] && source_whole "$installed" "$LINUX_SHA256"; then
        LINUX_SOURCE=$installed
        return 0
    fi
    need_space 1000 "$LINUX_PACKAGE"
    say "linux: fetching $LINUX_PACKAGE $LINUX_VERSION"
    TMP=$(mktemp -d "$CACHE/tmp.XXXXXX") || fail "cannot write to $CACHE"
    chmod 755 "$TMP"
    if (cd "$TMP" && apt-get -q -o APT::Sandbox::User=root download "$LINUX_PACKAGE=$LINUX_VERSION" &&
        dpkg-deb --fsys-tarfile ./*.deb | tar -xf - "./usr/src/$LINUX_TARBALL" &&
        mv "usr/src/$LINUX_TARBALL" "$file") >"$CACHE/log/linux-source.log" 2>&1; then
        rm -rf "$TMP"
        TMP=
        source_verified "$file" "$LINUX_SHA256" && return 0
        fail "$file: the checksum is not $LINUX_SHA256, as expected of $LINUX_PACKAGE $LINUX_VERSION (testbed/packages/pins.sh)"
    fi
    tail -n 5 "$CACHE/log/linux-source.log" >&2
    fail "expected $LINUX_PACKAGE $LINUX_VERSION (sha256 $LINUX_SHA256 of its $LINUX_TARBALL);
  installed is ${version:-none}, and apt has: $(apt-cache madison "$LINUX_PACKAGE" 2>/dev/null | cut -d'|' -f2 | tr -d '\n').
  Try 'apt-get update'; or put that $LINUX_TARBALL into $CACHE/sources;
  or build with what is installed: WCR_LINUX_ANY=1 make testbed (patches may not apply)"
}

# Xen's source package, through an apt configuration of its own: the machine's sources,
# with the type deb-src.
xen_source()
{
    local sum name whole=1 parts apt
    XEN_SOURCE=$CACHE/sources
    XEN_SOURCE_ID="xen $XEN_VERSION $XEN_FILES"
    while read -r sum name; do
        [ -z "$name" ] || source_verified "$XEN_SOURCE/$name" "$sum" || whole=0
    done <<<"$XEN_FILES"
    [ $whole -eq 0 ] || return 0
    need_space 500 "the source of Xen"
    say "xen: fetching the source package $XEN_VERSION"
    TMP=$(mktemp -d "$CACHE/tmp.XXXXXX") || fail "cannot write to $CACHE"
    parts=$TMP/parts
    mkdir -p "$parts" "$TMP/lists/partial" "$TMP/cache/archives/partial" "$TMP/files"
    apt_sources deb-src bookworm >"$parts/wcr.sources"
    [ -s "$parts/wcr.sources" ] ||
        fail "no package source of Debian 12 (suite bookworm, component main) in /etc/apt; a Debian 12 machine is needed"
    apt=(-q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$parts"
        -o "Dir::State::lists=$TMP/lists" -o "Dir::Cache=$TMP/cache" -o APT::Sandbox::User=root
        -o Acquire::Languages=none)
    if ! { apt-get "${apt[@]}" update &&
        (cd "$TMP/files" && apt-get "${apt[@]}" source --download-only "xen=$XEN_VERSION"); } \
        >"$CACHE/log/xen-source.log" 2>&1; then
        tail -n 8 "$CACHE/log/xen-source.log" >&2
        fail "cannot fetch the source package xen $XEN_VERSION of suite bookworm; put its files into $XEN_SOURCE:
$XEN_FILES"
    fi
    while read -r sum name; do
        [ -n "$name" ] || continue
        source_whole "$TMP/files/$name" "$sum" ||
            fail "$name: expected sha256 $sum, got $(sha256sum "$TMP/files/$name" 2>&1 | cut -c1-64) (testbed/packages/pins.sh)"
        mv "$TMP/files/$name" "$XEN_SOURCE/$name"
        source_verified "$XEN_SOURCE/$name" "$sum"
    done <<<"$XEN_FILES"
    rm -rf "$TMP"
    TMP=
}
