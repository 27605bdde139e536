#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: slurm_agent.sh DIR
# Answers as an agent whose every guest crashes at once. The second injection of shard K waits, if there is a
# DIR/wait-K, until that is gone; DIR/waits-K tells that it waits.
dir=$1 shard=${SLURM_ARRAY_TASK_ID:-0} injections=0
while read -r line; do
    id=${line##*\"id\":} id=${id%%[,\}]*}
    cmd=${line#*\"cmd\":\"} cmd=${cmd%%\"*}
    reply=
    case $cmd in
    hello) reply=', "version":"fake", "xen":"fake", "kernel":"fake", "abi":1' ;;
    golden) reply=', "outcome":"no_crash"' ;;
    inject)
        injections=$((injections + 1))
        if [ $injections -eq 2 ] && [ -e "$dir/wait-$shard" ]; then
            touch "$dir/waits-$shard"
            while [ -e "$dir/wait-$shard" ]; do sleep 0.1; done
        fi
        reply=', "outcome":"kernel_crash", "activated":true'
        ;;
    reboot) reply=', "booted":true' ;;
    verify) reply=', "pages_reusable":10, "pages_reused":9, "pages_inconsistent":0, "pages_corrupt":0' ;;
    esac
    printf '{"id":%d, "ok":true%s}\n' "$id" "$reply"
done
