#!/bin/sh
# `make run`: a shell in a container of the given root file system, or, without
# a terminal, a short tour of one.
set -u
root=$1
if [ "$(id -u)" != 0 ]; then
    echo "run.sh: this needs root for now: sudo make run" >&2
    exit 1
fi
# A limit on processes where the host has a cgroup for it.
limit=
[ -e /sys/fs/cgroup/pids/cgroup.procs ] && limit='--pids-limit 20'
if [ -t 0 ]; then
    echo "This is a shell in a container. 'exit' leaves it. (It has no terminal of its own"
    echo "yet: Ctrl-C reaches the shell, and not what runs in it.)"
    target/thimble run --hostname my-container $limit "$root" /bin/sh
    echo "The shell ended with status $?."
    exit 0
fi
tour='
show() { echo; echo "\$ $*"; "$@"; }
show hostname
show id
show ps
show ls /
show cat /proc/self/mountinfo
show ip address
show env
'
echo "\$ thimble run --hostname my-container $limit ROOTFS /bin/sh"
target/thimble run --hostname my-container $limit "$root" /bin/sh -c "$tour" || exit
if [ -n "$limit" ]; then
    echo
    echo '$ thimble run --pids-limit 3 ROOTFS /bin/sh -c "sleep 0 & sleep 0 & sleep 0"'
    target/thimble run --pids-limit 3 "$root" /bin/sh -c 'sleep 0 & sleep 0 & sleep 0'
    echo "exit status $?"
fi
