#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: run-tests.sh PROGRAM... [-- PROGRAM...]
# Runs tests, as many at a time as there are processors (WCR_TEST_JOBS), then those behind "--" each
# by itself, and ends with one line, "N passed, N failed". A program that speaks TAP (cmocka does)
# counts by its tests, any other as one; exit status 77 is a skip. The exit status is 0 only when
# nothing failed.
set -u

export CMOCKA_MESSAGE_OUTPUT=TAP
export ASAN_OPTIONS=${ASAN_OPTIONS:-abort_on_error=0:detect_leaks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
# What runs in the background does not hear of an interrupt.
trap 'trap - TERM; kill 0; exit 2' INT

# run PROGRAM OUT: what there is to say in OUT.report, and in OUT.counts passed, failed, skipped.
run()
{
    local program=$1 out=$2 start=$SECONDS status ok bad skip planned word
    case $program in /*) ;; *) program=./$program ;; esac
    "$program" >"$out" 2>&1 </dev/null
    status=$?
    # Plans say how many tests should have answered; cmocka reports a skip as "not ok".
    read -r ok bad skip planned < <(awk '
        /^1\.\.[0-9]+/ { plan += substr($1, 4); next }
        /^(not )?ok [0-9].*# SKIP/ { skip++; next }
        /^ok [0-9]/ { ok++; next }
        /^not ok [0-9]/ { bad++; next }
        END { print ok + 0, bad + 0, skip + 0, plan + 0 }' "$out")
    if [ $((ok + bad + skip + planned)) -eq 0 ]; then
        case $status in 0) ok=1 ;; 77) skip=1 ;; *) bad=1 ;; esac
    elif [ $((ok + bad + skip)) -lt "$planned" ]; then
        bad=$((planned - ok - skip))
    elif [ $status -ne 0 ] && [ $status -ne 77 ] && [ "$bad" -eq 0 ]; then
        bad=1       # a leak, or died after its last test
    fi
    {
        if [ "$bad" -gt 0 ]; then
            word=FAIL
            cat "$out"
        elif [ "$ok" -gt 0 ]; then
            word=ok
        else
            word=skip
            tail -n 1 "$out"
        fi
        printf '%-5s %-60s %3d passed%s%s (%d s)\n' "$word" "${program#./}" "$ok" \
            "$([ "$bad" -gt 0 ] && echo ", $bad failed, exit status $status")" \
            "$([ "$skip" -gt 0 ] && echo ", $skip skipped")" $((SECONDS - start))
    } >"$out.report"
    echo "$ok $bad $skip" >"$out.counts"
    # In one piece: others report, too.
    cat "$out.report"
}

jobs=${WCR_TEST_JOBS:-$(nproc)} running=0 n=0
for program; do
    if [ "$program" = -- ]; then
        wait
        jobs=1 running=0
        continue
    fi
    if [ $running -ge "$jobs" ]; then
        wait -n
        running=$((running - 1))
    fi
    n=$((n + 1))
    run "$program" "$dir/$n" &
    running=$((running + 1))
done
wait

passed=0 failed=0 skipped=0
for ((i = 1; i <= n; i++)); do
    # What did not even report has failed.
    read -r ok bad skip < <(cat "$dir/$i.counts" 2>/dev/null || echo "0 1 0")
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
done
[ $skipped -eq 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
