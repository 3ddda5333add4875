#!/bin/sh
# `make run`: a shell in a container of the given root file system, or, without
# a terminal, a short tour of one.
set -u
root=$1
thimble=${THIMBLE:-target/thimble}
# A limit on processes where this caller has a cgroup for it.
limit='--pids-limit 20'
"$thimble" run $limit "$root" /bin/true 2>/dev/null || limit=
if [ -t 0 ]; then
    echo "This is a shell in a container. 'exit' leaves it."
    "$thimble" run -t --hostname my-container $limit "$root" /bin/sh
    echo "The shell ended with status $?."
    exit 0
fi
tour='
show() { echo; echo "\$ $*"; "$@"; }
show hostname
show id
show ps -o pid,comm
show ls /
show cat /proc/self/mountinfo
show ip address
show env
'
echo "\$ thimble run --hostname my-container ${limit:+$limit }ROOTFS /bin/sh"
"$thimble" run --hostname my-container $limit "$root" /bin/sh -c "$tour" || exit
if [ -n "$limit" ]; then
    echo
    echo '$ thimble run --pids-limit 3 ROOTFS /bin/sh -c "sleep 0 & sleep 0 & sleep 0"'
    "$thimble" run --pids-limit 3 "$root" /bin/sh -c 'sleep 0 & sleep 0 & sleep 0'
    echo "exit status $?"
fi
