# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the build's scripts: the cache, progress and failure.
#
# An artefact is a folder $CACHE/KIND-HASH. HASH is that of its key, a text that names
# everything the artefact is made of: files by their contents, pinned sources, versions
# of tools. It is built in a folder of its own and renamed when complete, so whatever
# has its final name is whole.

set -u -o pipefail
export LC_ALL=C TZ=UTC
umask 022

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$ROOT/testbed/build
CACHE=${WCR_CACHE:-${XDG_CACHE_HOME:-${HOME:?HOME is not set; set WCR_CACHE}/.cache}/wcr}
JOBS=${WCR_JOBS:-$(nproc)}
# 1: Debian's Xen and Linux as they are, without the mechanism, to compare with.
STOCK=${WCR_STOCK:-0}
# For whatever wants a date: images and programs are the same every day.
export SOURCE_DATE_EPOCH=1767225600
export E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH
START=${START:-$SECONDS}
TMP=
CHILD=
OPEN=

# shellcheck source=../packages/pins.sh
. "$ROOT/testbed/packages/pins.sh"

say() { printf '[%4d s] %s\n' $((SECONDS - START)) "$*"; }

fail()
{
    printf 'testbed: %s\n' "$*" >&2
    exit 1
}

need_root()
{
    [ "$(id -u)" -eq 0 ] || fail "$1 must be built as root (its files belong to root); run 'sudo make testbed'"
}

need_space()
{
    local free
    free=$(($(df -P -k "$CACHE" | awk 'NR == 2 { print $4 }') / 1024))
    [ "$free" -ge "$1" ] ||
        fail "$CACHE has $free MiB free and $2 needs $1; free some space, or set WCR_CACHE to another place"
}

need_command()
{
    command -v "$1" >/dev/null || fail "$1 is not there; install the package $2 ('make packages' as root installs all)"
}

# One build at a time; what an interrupted one left is swept away.
cache_open()
{
    [ -z "$OPEN" ] || return 0
    OPEN=1
    mkdir -p "$CACHE/log" "$CACHE/sources" 2>/dev/null && [ -w "$CACHE" ] ||
        fail "cannot write to $CACHE; set WCR_CACHE to another place"
    exec 9>"$CACHE/lock"
    if ! flock -n 9; then
        say "another build uses $CACHE: waiting for it"
        flock 9
    fi
    rm -rf "$CACHE"/tmp.*
    trap 'cleanup' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

cleanup()
{
    if [ -n "$CHILD" ]; then
        kill -- "-$CHILD" 2>/dev/null
        wait "$CHILD" 2>/dev/null
    fi
    [ -z "$TMP" ] || rm -rf "$TMP"
}

# compiler_cache TREE: set COMPILER. A changed patch then compiles again only what it touches,
# wherever the tree is.
compiler_cache()
{
    COMPILER=gcc
    command -v ccache >/dev/null || return 0
    export CCACHE_DIR=$CACHE/ccache CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$1 CCACHE_MAXSIZE=1G
    COMPILER="ccache gcc"
}

# Key lines of files: mode bit x, hash of the contents, path. Folders are taken whole.
key_files()
{
    (cd "$ROOT" && for p; do
        [ -e "$p" ] && find "$p" -type f ! -name '*~' ! -name '.*' -printf '%p\n'
    done | sort -u | while IFS= read -r f; do
        printf 'file %s %s %s\n' "$([ -x "$f" ] && echo x || echo -)" "$(sha256sum <"$f" | cut -c1-64)" "$f"
    done)
}

# Key lines of installed packages.
key_packages()
{
    dpkg-query -W -f 'package ${Package} ${Version}\n' "$@" 2>/dev/null || true
}

# A line of a program's version.
key_tool()
{
    printf 'tool %s %s\n' "$1" "$("$@" 2>&1 | head -n 1)"
}

# The name of an artefact: artefact KIND KEY
artefact() { printf '%s-%s' "$1" "$(sha256sum <<<"$2" | cut -c1-16)"; }

# cached VARIABLE KIND KEY FUNCTION: the folder, built by FUNCTION in an empty folder (its
# working directory, also $1) when it is not there yet. FUNCTION runs under set -e.
cached()
{
    local var=$1 kind=$2 key=$3 function=$4 dir log next started=$SECONDS
    dir=$CACHE/$(artefact "$kind" "$key")
    printf -v "$var" '%s' "$dir"
    printf -v "${var}_HASH" '%s' "${dir##*-}"
    if [ -d "$dir" ]; then
        touch -c "$dir"
        return 0
    fi
    log=$CACHE/log/$kind.log
    say "$kind: building (its output is in $log)"
    TMP=$(mktemp -d "$CACHE/tmp.XXXXXX") || fail "cannot write to $CACHE"
    chmod 755 "$TMP"
    # A process group of its own, so that an interrupt can end all of it.
    set -m
    (
        trap - EXIT INT TERM HUP
        exec 9>&-
        cd "$TMP" || exit 1
        set -e
        "$function" "$TMP"
    ) >"$log" 2>&1 </dev/null &
    CHILD=$!
    set +m
    next=$((SECONDS + 30))
    while kill -0 $CHILD 2>/dev/null; do
        sleep 0.2
        if [ $SECONDS -ge $next ]; then
            say "$kind: $(tail -n 1 "$log" | cut -c1-90)"
            next=$((SECONDS + 30))
        fi
    done
    if ! wait $CHILD; then
        CHILD=
        echo "--- the end of $log" >&2
        tail -n 25 "$log" >&2
        echo "---" >&2
        fail "$kind could not be built; all of its output is in $log"
    fi
    CHILD=
    printf '%s\n' "$key" >"$TMP/inputs"
    mv -T "$TMP" "$dir" || fail "cannot rename $TMP to $dir"
    TMP=
    say "$kind: done in $((SECONDS - started)) s, $(du -sm "$dir" | cut -f1) MiB"
}

# The machine's own package sources for Debian 12, as deb822 with the type asked for.
# apt_sources deb|deb-src SUITES-REGEX
apt_sources()
{
    local type=$1 suites=$2 f
    for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -r "$f" ] || continue
        # deb [options] uri suite components...
        sed -n 's/^[[:space:]]*deb[[:space:]]\{1,\}//p' "$f" | awk -v type="$type" -v re="^($suites)\$" '
            {
                options = ""
                if ($1 ~ /^\[/) {
                    while (NF && $1 !~ /\]$/) { options = options " " $1; sub(/^[^ \t]+[ \t]+/, "") }
                    options = options " " $1; sub(/^[^ \t]+[ \t]+/, "")
                }
                if ($2 !~ re || !/ main( |$)/) next
                printf "Types: %s\nURIs: %s\nSuites: %s\nComponents: main\n", type, $1, $2
                if (match(options, /signed-by=[^] ]+/))
                    printf "Signed-By: %s\n", substr(options, RSTART + 10, RLENGTH - 10)
                print ""
            }'
    done
    for f in /etc/apt/sources.list.d/*.sources; do
        [ -r "$f" ] || continue
        grep -v '^#' "$f" | awk -v type="$type" -v re="^($suites)\$" '
            BEGIN { RS = ""; FS = "\n" }
            {
                uris = wanted = keys = ""; binary = main = 0; off = 0; field = ""
                for (i = 1; i <= NF; i++) {
                    if ($i ~ /^[ \t]/) { if (field == "signed-by") keys = keys "\n" $i; continue }
                    field = tolower($i); sub(/:.*/, "", field)
                    value = $i; sub(/^[^:]*:[ \t]*/, "", value)
                    n = split(value, word, /[ \t]+/)
                    if (field == "uris") uris = value
                    else if (field == "signed-by") keys = value
                    else if (field == "enabled" && tolower(value) == "no") off = 1
                    for (j = 1; j <= n; j++) {
                        if (field == "types" && word[j] == "deb") binary = 1
                        if (field == "components" && word[j] == "main") main = 1
                        if (field == "suites" && word[j] ~ re) wanted = wanted " " word[j]
                    }
                }
                if (off || !binary || !main || wanted == "") next
                printf "Types: %s\nURIs: %s\nSuites:%s\nComponents: main\n", type, uris, wanted
                if (keys != "") printf "Signed-By: %s\n", keys
                print ""
            }'
    done
}

# Every line of a configuration fragment must have survived: a misspelt or impossible one
# would otherwise be lost without a word. config_check CONFIG FRAGMENT
config_check()
{
    local line lost=0
    while IFS= read -r line; do
        case $line in
        CONFIG_*=n) line="# ${line%=n} is not set" ;;
        CONFIG_*) ;;
        '# CONFIG_'*' is not set') ;;
        *) continue ;;
        esac
        case $line in
        '#'*)   # Not asked for because of something else: as good.
            line=${line#\# }
            ! grep -q "^${line%% *}=" "$1" && continue
            ;;
        *) grep -qxF "$line" "$1" && continue ;;
        esac
        echo "configuration: '$line' did not survive"
        lost=1
    done <"$2"
    return $lost
}

# make_ext4 FILE SIZE UUID OPTION...: with everything that is random given, and laid out
# whole, so that no kernel thread goes on initialising it.
make_ext4()
{
    local file=$1 size=$2 uuid=$3
    shift 3
    mke2fs -q -t ext4 -U "$uuid" -E "hash_seed=$uuid,lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0" \
        -m 0 "$@" "$file" "$size"
}
