#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A campaign on a Slurm cluster: an array job with a shard in each task, then a job that merges them.
#
#   campaign.sh SPEC SHARDS DIR [OPTION...]
#
# OPTIONs are those of wcr run, such as --testbed and --profile. DIR is one that all nodes have: it gets the
# shards' databases and logs, K.db and K.log, merge.log, and at last campaign.db. Whatever was killed or
# lost on the way, the same command goes on. Copy this file and adapt these lines, and the next:
#
#SBATCH --job-name=wcr
#SBATCH --cpus-per-task=1
#SBATCH --mem=2G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
wcr=${WCR:-wcr}

set -eu

fail() { echo "campaign.sh: $*" >&2; exit 2; }

submit()
{
    local array merge
    [ ! -e "$dir/campaign.db" ] || fail "$dir/campaign.db is there already: move it away, or take another DIR"
    mkdir -p "$dir"
    rm -f "$dir"/*.done
    array=$(sbatch --parsable --array="1-$shards" --output="$dir/%a.log" "$0" --task "$@")
    merge=$(sbatch --parsable --dependency="afterany:$array" --output="$dir/merge.log" "$0" --merge "$@")
    echo "array job $array runs the shards, job $merge merges them: $dir/campaign.db"
}

task()
{
    local k=$SLURM_ARRAY_TASK_ID status=0 run again=
    # The time limit is near: what is done is recorded, the rest is for another turn.
    trap 'again=1; kill -TERM "$run"' USR1
    "$wcr" run "$spec" --db "$dir/$k.db" --shard "$k/$shards" "${options[@]}" &
    run=$!
    # The trap ends a wait, too.
    while wait "$run" && status=0 || status=$?; kill -0 "$run" 2>/dev/null; do :; done
    case $status in
    0 | 1) touch "$dir/$k.done" ;;      # 1: with experiment errors, which are recorded
    2) [ -z "$again" ] || scontrol requeue "$SLURM_JOB_ID" ;;
    esac
    exit "$status"
}

merge()
{
    local k missing= files=()
    for ((k = 1; k <= shards; k++)); do
        [ -e "$dir/$k.done" ] || missing+=" $k"
        files+=("$dir/$k.db")
    done
    [ -z "$missing" ] || fail "not complete:$missing; their logs tell why, and campaign.sh goes on with them"
    exec "$wcr" merge -o "$dir/campaign.db" "${files[@]}"
}

job=submit
case ${1-} in
--task | --merge) job=${1#--}; shift ;;
esac
[ $# -ge 3 ] || fail "usage: campaign.sh SPEC SHARDS DIR [OPTION...]"
spec=$1 shards=$2 dir=$3 options=("${@:4}")
[[ $shards =~ ^[1-9][0-9]{0,4}$ ]] || fail "SHARDS '$shards': expected a number"
[ -r "$spec" ] || fail "$spec: cannot be read"
"$job" "$@"
