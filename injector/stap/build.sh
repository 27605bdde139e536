#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Compile the run-time faults against a kernel.
#
#   build.sh KERNEL_BUILD OUTDIR [CLASS...]      (default: all)
#
# KERNEL_BUILD is a tree that modules can be built against, with vmlinux and its DWARF.
# Each class becomes OUTDIR/CLASS.ko. Exits 1 if one fails, with the compiler's words.
set -eu

build=$(cd "$1" && pwd)
mkdir -p "$2"
out=$(cd "$2" && pwd)
shift 2
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || set -- $(cd "$here" && ls [A-Z]*.stp | sed 's/\.stp$//')

[ -f "$build/vmlinux" ] || { echo "$build/vmlinux: not there; build the kernel first" >&2; exit 1; }
command -v stap >/dev/null || { echo "stap: not installed (Debian package systemtap)" >&2; exit 1; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# Linux 6.1.113 and later call task_work_cancel by another name; SystemTap 4.8 does not know it.
runtime=${STAP_RUNTIME:-/usr/share/systemtap/runtime}
if grep -q task_work_cancel_func "$build/include/linux/task_work.h" 2>/dev/null &&
   ! grep -q task_work_cancel_func "$runtime/stp_task_work.c"; then
	cp -r "$runtime" "$tmp/runtime"
	runtime=$tmp/runtime
	sed -i -e 's/typeof(&task_work_cancel)/typeof(\&task_work_cancel_func)/' \
	       -e 's/kallsyms_lookup_name("task_work_cancel")/kallsyms_lookup_name("task_work_cancel_func")/' \
	       "$runtime/stp_task_work.c"
fi

# Calls of memcpy and memmove, but not those that printing and crashing run through.
copy_sites() {
	objdump -d -j .text --no-show-raw-insn "$build/vmlinux" | awk '
		/^[0-9a-f]+ <.*>:$/ { skip = /printk|prb_|vsnprintf|console|hvc_|panic|oops|kprobe|<string/ }
		/(call|jmp)q? .*<(__)?mem(cpy|move)>$/ && !skip { sub(":", "", $1); print "0x" $1 "UL," }
	' >"$tmp/sites.h"
	[ -s "$tmp/sites.h" ] || { echo "$build/vmlinux: no calls of memcpy" >&2; exit 1; }
	panic=$(nm "$build/vmlinux" | awk '$3 == "panic" { print $1 }')
	printf '%%{\n#define WCR_SITES "%s"\n#define WCR_PANIC 0x%sUL\n%%}\n' "$tmp/sites.h" "$panic"
}

for class; do
	script=$tmp/$class.stp
	{
		[ "$class" != COPY ] || copy_sites
		cat "$here/common.stp" "$here/$class.stp"
	} >"$script"
	(cd "$tmp" && stap -R "$runtime" -g -p4 -r "$build" -DMAXSKIPPED=1000000 -DSTP_NO_OVERLOAD \
		-m "$class" "$script" >"$tmp/log" 2>&1) || {
		cat "$tmp/log" >&2
		echo "class $class: SystemTap failed" >&2
		exit 1
	}
	strip --strip-debug "$tmp/$class.ko"
	mv "$tmp/$class.ko" "$out/$class.ko"
	echo "$class.ko"
done
