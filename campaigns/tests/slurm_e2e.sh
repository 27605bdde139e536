#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Catches: a cluster's campaign that loses or doubles a trial when its tasks are cancelled, killed or requeued, or
# that merges what is not complete. slurmctld, slurmd and munged are Debian's, in namespaces of their own: no
# other cluster's network, and nothing left when this ends. wcr is the real one; its guests are not.
set -eu
cd "$(dirname -- "$0")/../.."

if [ -z "${WCR_SLURM_DIR:-}" ]; then
    for program in slurmctld slurmd munged sbatch unshare ip; do
        command -v $program >/dev/null || { echo "skip: no $program here"; exit 77; }
    done
    [ "$(id -u)" -eq 0 ] || { echo "skip: only root may make a cluster of its own"; exit 77; }
    WCR_SLURM_DIR=$(mktemp -d)
    export WCR_SLURM_DIR
    trap 'rm -rf "$WCR_SLURM_DIR"' EXIT
    # When the first process in there ends, so do all others.
    unshare --fork --kill-child --pid --mount-proc --net --uts "$0"
    exit
fi

dir=$WCR_SLURM_DIR
export SLURM_CONF=$dir/slurm.conf WCR=$PWD/build/wcr

fail()
{
    echo "not ok: $*"
    tail -n 8 "$dir"/*.log "$dir"/campaign/*.log || true
    exit 1
}

# until_true SECONDS COMMAND...
until_true()
{
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || fail "still not: $*"
        sleep 0.2
    done
}

start_cluster()
{
    mkdir -p "$dir/state" "$dir/spool" "$dir/munge"
    chmod 700 "$dir/munge"
    # Addresses that are only looped back do not count as a network.
    hostname wcr
    ip link set lo up
    ip address add 192.0.2.1/32 dev lo
    printf '127.0.0.1 localhost\n192.0.2.1 wcr\n' >"$dir/hosts"
    mount --bind "$dir/hosts" /etc/hosts
    head -c 1024 /dev/urandom >"$dir/munge/key"
    chmod 400 "$dir/munge/key"
    cat >"$SLURM_CONF" <<CONF
ClusterName=wcr
SlurmctldHost=wcr(192.0.2.1)
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket,cred_expire=5
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
KillWait=5
NodeName=wcr NodeAddr=192.0.2.1 CPUs=4 RealMemory=8192
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
    munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" --pid-file="$dir/munge/pid" \
        --log-file="$dir/munge/log" --seed-file="$dir/munge/seed"
    slurmctld
    slurmd
    until_true 60 is_idle
}

is_idle() { [ "$(sinfo -h -o %t 2>/dev/null)" = idle ]; }

cat >"$dir/spec.yaml" <<'SPEC'
name: cluster
seed: 1
golden: 3
classes:
  - {class: PANIC, trials: 6}
  - {class: ALLOC, trials: 6}
SPEC
TRIALS=30   # (3 golden + 12) x 2 modes

# Sets $array and $merge, the numbers of the jobs.
submit()
{
    campaigns/slurm/campaign.sh "$dir/spec.yaml" 3 "$dir/campaign" --executor xen \
        --agent "campaigns/tests/slurm_agent.sh $dir" >"$dir/submitted" || fail "cannot submit"
    read -r array merge < <(sed 's/[^0-9 ]//g' "$dir/submitted" | awk '{ print $1, $2 }')
}

state() { scontrol -o show job "$1" | sed 's/.* JobState=\([A-Z]*\).*/\1/'; }
is() { [ "$(state "$1")" = "$2" ]; }
restarts() { scontrol -o show job "$1" | sed 's/.* Restarts=\([0-9]*\).*/\1/'; }
was_restarted() { [ "$(restarts "$1")" -ge 1 ]; }
query() { sqlite3 "$dir/campaign/$1" "$2"; }
waits() { [ -e "$dir/waits-$1" ]; }

start_cluster

echo "# one that is cancelled, and not requeued: nothing is merged"
touch "$dir/wait-2"
submit
until_true 60 waits 2
scancel "${array}_2"
until_true 60 is "$merge" FAILED
grep -q 'not complete: 2;' "$dir/campaign/merge.log" || fail "merge.log does not say that shard 2 is not complete"
[ ! -e "$dir/campaign/campaign.db" ] || fail "merged what is not complete"
before=$(query 2.db "SELECT count(*) FROM trial WHERE status = 'done'")
[ "$before" -ge 1 ] || fail "what shard 2 had done is lost"

echo "# submitted again; one is cancelled and requeued, one has no time left"
rm "$dir/waits-2"
touch "$dir/wait-3"
rm "$dir"/campaign/3.db*       # a lost one is made anew
submit
until_true 60 waits 2
until_true 60 waits 3
scancel "${array}_2"
until_true 60 is "${array}_2" CANCELLED
rm "$dir/wait-2"
scontrol requeue "${array}_2"
until_true 60 is "${array}_2" COMPLETED
was_restarted "${array}_2" || fail "the requeued task did not begin anew"
scancel --signal=USR1 --batch "${array}_3"
until_true 60 was_restarted "${array}_3"
rm "$dir/wait-3"
until_true 60 is "${array}_3" COMPLETED
until_true 60 is "$merge" COMPLETED

for k in 1 2 3; do
    grep -q "shard $k/3" "$dir/campaign/$k.log" || fail "shard $k was not run by slurmd"
done
grep -q "shard 3/3: 10 trials, [1-9] of them done before" "$dir/campaign/3.log" || fail "shard 3 did not go on"
count="SELECT count(*), count(DISTINCT fault_class || ':' || seed || ':' || mode) FROM trial WHERE status = 'done'"
[ "$(query campaign.db "$count")" = "$TRIALS|$TRIALS" ] || fail "not every trial once: $(query campaign.db "$count")"
[ "$(query campaign.db 'PRAGMA integrity_check')" = ok ] || fail "campaign.db is damaged"
for k in 1 2 3; do
    query "$k.db" "SELECT fault_class, seed, mode, crash_id, wall_ns FROM trial"
done | sort >"$dir/shards"
query campaign.db "SELECT fault_class, seed, mode, crash_id, wall_ns FROM trial" | sort | cmp - "$dir/shards" ||
    fail "campaign.db has other trials than the shards"
campaigns/slurm/campaign.sh "$dir/spec.yaml" 3 "$dir/campaign" 2>"$dir/err" && fail "campaign.db would be written again"
grep -q 'is there already' "$dir/err" || fail "$(cat "$dir/err")"
echo ok
