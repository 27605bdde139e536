# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Domain 0's image: Debian 12's Xen tools and libvirt, and an init of our own; no systemd,
# no udev, no package system. In the artefact: dom0.img, packages (with their versions),
# libraries (names of those in the image).

dom0_key()
{
    # What it is made from, but not the packages' versions: these are what the archive had
    # when it was built, and are listed in the artefact.
    key_files testbed/build/dom0.sh testbed/packages/dom0.txt testbed/dom0
}

dom0_build()
{
    local names
    need_root "domain 0's image"
    need_command mmdebstrap mmdebstrap
    apt_sources deb 'bookworm|bookworm-updates|bookworm-security' >sources
    [ -s sources ] || fail "no package source of Debian 12 (suite bookworm, component main) in /etc/apt"
    names=$(sed 's/#.*//' "$ROOT/testbed/packages/dom0.txt" | tr -s ' \t\n' ',' | sed 's/^,//; s/,$//')
    # Unpacked only: no script of a package runs, and nothing runs in there.
    mmdebstrap --mode=root --variant=extract --architectures=amd64 --format=directory \
        --aptopt='Apt::Install-Recommends "false"' --aptopt='APT::Sandbox::User "root"' \
        "--extract-hook=cd \"\$1/var/cache/apt/archives\" && ls -- *.deb >'$PWD/packages'" \
        "--include=$names" bookworm all sources
    dom0_keep files.txt root
    dom0_fill
    dom0_keep web.txt root/usr/share/wcr/web
    mkdir root/usr/share/wcr/web/{dev,www}
    install -m 644 "$ROOT/testbed/dom0/lighttpd.conf" root/usr/share/wcr/web/
    find root -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    (cd root/usr/lib && find . -name '*.so*' -printf '%f\n' | sort) >libraries
    make_ext4 dom0.img 256M 3b9b4c86-7d5e-4c1c-9f7c-8d0a6f5c7700 -b 4096 -O ^has_journal -d root
    rm -rf all root sources
}

# dom0_keep LIST TREE: from all/, what the list names, and the libraries it needs, all the way down.
dom0_keep()
{
    local list=testbed/dom0/$1 tree=$2 pattern path found name
    local -a todo=()
    local -A have=()
    mkdir -p "$tree"/usr/{bin,sbin,lib,lib64}
    for name in bin sbin lib lib64; do ln -s "usr/$name" "$tree/$name"; done
    while read -r pattern; do
        [ -n "$pattern" ] || continue
        found=0
        for path in all/$pattern; do
            [ -f "$path" ] || continue
            found=1
            todo+=("${path#all/}")
        done
        [ $found -eq 1 ] || fail "domain 0: no file '$pattern' in its packages ($list)"
    done < <(sed 's/#.*//; s/[ \t]*$//' "$ROOT/$list")
    while [ ${#todo[@]} -gt 0 ]; do
        path=${todo[-1]}
        unset 'todo[-1]'
        [ -z "${have[$path]:-}" ] || continue
        have[$path]=1
        mkdir -p "$tree/$(dirname "$path")"
        cp "all/$path" "$tree/$path"
        for name in $(objdump -p "all/$path" 2>/dev/null | awk '$1 == "NEEDED" { print $2 }'); do
            found=$(dom0_library "$name") || fail "domain 0: $path needs $name, which is in no package"
            todo+=("$found")
        done
    done
    cp -L all/lib64/ld-linux-x86-64.so.2 "$tree/usr/lib64/"
}

dom0_library()
{
    local dir
    for dir in lib/x86_64-linux-gnu usr/lib/x86_64-linux-gnu usr/lib/x86_64-linux-gnu/libvirt lib64 \
        usr/lib/xen-4.17/lib usr/lib/xen-4.17/lib/x86_64-linux-gnu; do
        if [ -e "all/$dir/$1" ]; then
            echo "$dir/$1"
            return 0
        fi
    done
    return 1
}

dom0_fill()
{
    local tool
    mkdir -p root/{dev,proc,sys,run,var,tmp,tools,root} root/etc/{xen/scripts,libvirt}
    # Every tool that busybox has and nobody better does.
    for tool in $(all/bin/busybox --list); do
        [ -e "root/usr/bin/$tool" ] || [ -e "root/usr/sbin/$tool" ] || ln -s busybox "root/usr/bin/$tool"
    done
    install -m 755 "$ROOT/testbed/dom0/init" root/usr/sbin/wcr-dom0-init
    install -m 755 "$ROOT"/testbed/dom0/{block,vif-bridge} root/etc/xen/scripts/
    install -m 755 "$ROOT/testbed/dom0/load" root/usr/bin/wcr-load
    echo 'root:x:0:0:root:/root:/bin/sh' >root/etc/passwd
    echo 'root:x:0:' >root/etc/group
    echo 'passwd: files
group: files
hosts: files' >root/etc/nsswitch.conf
    echo '127.0.0.1 localhost dom0' >root/etc/hosts
    echo 77637200646f6d304000800000000000 >root/etc/machine-id
    echo 'autoballoon="off"' >root/etc/xen/xl.conf
    cat >root/etc/libvirt/libvirtd.conf <<'EOF'
auth_unix_rw = "none"
auth_unix_ro = "none"
host_uuid = "77637200-646f-6d30-4000-800000000000"
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
EOF
    echo 'autoballoon = 0' >root/etc/libvirt/libxl.conf
}
