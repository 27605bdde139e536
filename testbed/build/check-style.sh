#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What goes into Xen and Linux, in the style of either: Linux's own checkpatch, what can be told
# by line of Xen's CODING_STYLE, and patches that are fresh. What the sources are not there for
# is left out with a word.
. "$(dirname -- "$0")/lib.sh"
. "$BUILD/sources.sh"
. "$BUILD/patches.sh"
cd "$ROOT" || exit 2

core=warmcache-core
bad=0
git() { command git -c safe.directory="$ROOT" "$@"; }

# Not heeded of checkpatch, with --strict:
#   ENOSYS                  is what a hypervisor says that does not have a hypercall
#   UNDOCUMENTED_SETUP      wcr= is in docs/xen-host.md: an overlay adds no line to Documentation
#   COMMIT_MESSAGE          only the differences are checked
linux_style()
{
    local patch checkpatch=("$LINUX_UPSTREAM/scripts/checkpatch.pl" --no-tree --no-signoff --strict
        --terse --show-types --no-summary -q
        --ignore ENOSYS,UNDOCUMENTED_SETUP,COMMIT_MESSAGE)
    git ls-files -z "$core/linux/overlay/*.[ch]" "$core/linux/overlay/*Kconfig" |
        xargs -0 perl "${checkpatch[@]}" -f || bad=1
    for patch in "$core"/linux/patches/*.patch; do
        sed '1,/^--- a\//{/^--- a\//!d}' "$patch" | perl "${checkpatch[@]}" - |
            sed "s|^-:|$patch, counted from its first ---: |"
        [ "${PIPESTATUS[1]}" -eq 0 ] || bad=1
    done
}

# "FILE:LINE:TEXT" of our lines of C.
xen_lines()
{
    git grep -n '' -- "$core/xen/overlay/*.[ch]"
    awk '/^\+\+\+ / { c = /\.[ch]$/; next }
        c && /^\+/ { print FILENAME ":" FNR ":" substr($0, 2) }' "$core"/xen/patches/*.patch
}

xen_style()
{
    xen_lines | awk '
        function complain(what) { print where what; bad = 1 }
        {
            match($0, /^[^:]*:[0-9]*:/)
            where = substr($0, 1, RLENGTH) " "
            $0 = substr($0, RLENGTH + 1)
            code = $0
            gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
        }
        /\t/ { complain("a tab") }
        /[ \t]$/ { complain("blanks at the end") }
        length > 79 { complain("longer than 79 columns") }
        code ~ /\/\// { complain("a C++ comment") }
        # Where the condition ends on its line, its last parenthesis wants a blank as well.
        { open = gsub(/\(/, "(", code) - gsub(/\)/, ")", code) }
        code ~ /^ *(} *)?(else )?(if|for|while|switch)(\(| \([^ ])/ ||
            (!open && code ~ /^ *(else )?(if|for|while|switch) \(.*[^ ]\)$/) { complain("wants blanks, as in if ( x )") }
        code ~ /^ *(if|for|while|switch|else|}).*[^=] \{$/ { complain("a brace belongs on a line of its own") }
        code ~ /(^|[^[:alnum:]_])[us](8|16|32|64)[^[:alnum:]_]/ { complain("uint32_t, not u32") }
        END { exit bad }'
}

xen_style || bad=1
if linux_source_here; then
    linux_files
    linux_style
    linux_refresh check || bad=1
else
    echo "check-style: $LINUX_PACKAGE $LINUX_VERSION is not there: what is for Linux is not checked"
fi
if xen_source_here; then
    xen_files
    xen_refresh check || bad=1
else
    echo "check-style: the source of Xen is not there: its patches are not checked (make testbed fetches it)"
fi
exit $bad
