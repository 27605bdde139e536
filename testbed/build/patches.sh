# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced, after lib.sh and sources.sh: the patch series against the files of upstream that
# they change. Those are taken out of the pinned sources once, into an artefact.

# The patches of a series, in order. A folder of patches is as quilt has it.
series() { grep -v -e '^#' -e '^$' "$1/series"; }

# The files that a patch of diff, git or quilt changes, in its order.
patch_files() { sed -n 's,^+++ [^/ ]*/\([^[:space:]]*\).*,\1,p' "$1"; }

# The files that a series changes.
series_files()
{
    series "$1" | while read -r patch; do patch_files "$1/$patch"; done | sort -u
}

# --- upstream's files --------------------------------------------------------------

linux_files_wanted()
{
    series_files "$ROOT/warmcache-core/linux/patches"
    printf 'scripts/%s\n' checkpatch.pl spelling.txt const_structs.checkpatch
}

linux_files_extract()
{
    linux_files_wanted | sed "s,^,${LINUX_TARBALL%.tar.xz}/," >files
    tar -xJf "$LINUX_SOURCE" --strip-components=1 -T files
}

# LINUX_UPSTREAM: the artefact, and in it checkpatch.
linux_files()
{
    local key
    key="source $LINUX_PACKAGE $LINUX_VERSION $LINUX_SHA256
$(linux_files_wanted)"
    if ! [ -d "$CACHE/$(artefact linux-upstream "$key")" ]; then
        cache_open
        WCR_LINUX_ANY=0 linux_source
    fi
    cached LINUX_UPSTREAM linux-upstream "$key" linux_files_extract
}

xen_files_wanted() { series_files "$ROOT/warmcache-core/xen/patches"; }

xen_files_extract()
{
    mkdir unpacked
    dpkg-source --no-check -x "$XEN_SOURCE/xen_$XEN_VERSION.dsc" unpacked/tree
    xen_files_wanted | (cd unpacked/tree && xargs cp --parents -t "$1")
    rm -rf unpacked
}

# XEN_UPSTREAM: the artefact.
xen_files()
{
    local key
    key="source $XEN_VERSION $XEN_FILES
$(xen_files_wanted)"
    if ! [ -d "$CACHE/$(artefact xen-upstream "$key")" ]; then
        cache_open
        xen_source
    fi
    cached XEN_UPSTREAM xen-upstream "$key" xen_files_extract
}

# --- refreshing --------------------------------------------------------------------

# Say from what patch printed which hunk went where it did not quite belong, or nowhere.
# patch_explain NAME TREE LOG
patch_explain()
{
    awk -v name="$1" -v tree="$2" '
        /^patching file / { file = $3 }
        /^Hunk #/ { hunk = substr($2, 2) }
        /^Hunk .* FAILED/ {
            printf "%s: %s: hunk %d does not apply at line %d; see %s/%s.rej\n", name, file, hunk, $5, tree, file
        }
        /^Hunk .* with fuzz/ {
            printf "%s: %s: hunk %d applied, but what is around it has changed: look at it\n", name, file, hunk
        }
        /^patch: |^can.t find file/ { print name ": " $0 }' "$3"
}

# Apply a patch to TREE, wherever its hunks are now, and write it afresh to OUT: its header,
# and the differences of its files in its order. patch_refresh TREE PATCH OUT
patch_refresh()
{
    local tree=$1 patch=$2 out=$3 old=$1/.old files file status
    mapfile -t files < <(patch_files "$patch")
    [ ${#files[@]} -gt 0 ] || { echo "${patch##*/}: changes no file" >&2; return 1; }
    rm -rf "$old"
    mkdir "$old"
    (cd "$tree" && cp --parents -t .old "${files[@]}") || return 1
    # A line of context must remain, or a hunk would go anywhere.
    patch -d "$tree" -p1 -f -F 2 --no-backup-if-mismatch <"$patch" >"$old/log" 2>&1
    status=$?
    patch_explain "${patch##*/}" "$tree" "$old/log" >&2
    [ $status -eq 0 ] || return 1
    {
        sed '/^\(Index: \|diff --git \|--- [^ ]*\/\)/,$d' "$patch"
        for file in "${files[@]}"; do
            diff -p -U 3 --label "a/$file" --label "b/$file" "$old/$file" "$tree/$file"
        done
    } >"$out"
    rm -rf "$old"
}

# But for the function named behind a hunk's lines, which is for the reader alone.
patch_same()
{
    cmp -s <(sed 's/^\(@@ .* @@\).*/\1/' "$1") <(sed 's/^\(@@ .* @@\).*/\1/' "$2")
}

# series_refresh PATCHES UPSTREAM WORK write|check: PATCHES as they are against UPSTREAM.
# WORK, a folder, is left there when one does not apply, and has the rejects.
series_refresh()
{
    local patches=$1 upstream=$2 work=$3 how=$4 patch stale=0
    rm -rf "$work"
    mkdir -p "$work"
    # Of what it holds: in a cache it may be a symbolic link.
    cp -r "$upstream/." "$work/tree" || return 1
    for patch in $(series "$patches"); do
        patch_refresh "$work/tree" "$patches/$patch" "$work/$patch" || return 1
    done
    for patch in $(series "$patches"); do
        patch_same "$patches/$patch" "$work/$patch" && continue
        stale=1
        if [ "$how" = write ]; then
            cat "$work/$patch" >"$patches/$patch"
            echo "$patch: refreshed"
        else
            echo "$patches/$patch is not fresh: make patches-refresh" >&2
        fi
    done
    rm -rf "$work"
    [ "$how" = write ] || [ $stale -eq 0 ]
}

xen_refresh() { series_refresh "$ROOT/warmcache-core/xen/patches" "$XEN_UPSTREAM" "$ROOT/build/patches/xen" "$1"; }
linux_refresh() { series_refresh "$ROOT/warmcache-core/linux/patches" "$LINUX_UPSTREAM" "$ROOT/build/patches/linux" "$1"; }
