#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# usage: host-packages.sh [LIST]
# Installs what testbed/packages/LIST (host.txt) names and is not there, when root; otherwise
# says the command. Nothing to do takes no time.
set -u

list=$(dirname -- "$0")/../packages/${1:-host.txt}
mapfile -t wanted < <(sed 's/#.*//' "$list" | tr -s ' \t' '\n' | grep .)
mapfile -t missing < <(comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) \
    <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p' | sort -u))
[ ${#missing[@]} -gt 0 ] || exit 0

command="apt-get install --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -ne 0 ]; then
    echo "packages are missing; as root: $command" >&2
    exit 1
fi
if ! command -v apt-get >/dev/null; then
    echo "packages are missing, and this machine has no apt-get: a Debian 12 machine is needed" >&2
    exit 1
fi
echo "installing ${#missing[@]} packages: ${missing[*]}"
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
install() { DEBIAN_FRONTEND=noninteractive apt-get -y -q --no-install-recommends install "${missing[@]}" >"$log" 2>&1; }
# The package lists may be absent or out of date.
install || { apt-get -q update >"$log" 2>&1 && install; } || {
    tail -n 15 "$log" >&2
    echo "cannot install packages; try: apt-get update && $command" >&2
    exit 1
}
