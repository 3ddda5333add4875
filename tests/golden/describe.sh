# Tells what a program finds around it: run inside the container by tests/golden.rs,
# with busybox. Ends when its input does.
echo '[status]'
cat /proc/self/status # of cat: a shell ignores and catches signals
echo '[stat]'
cat /proc/$$/stat
echo '[mountinfo]'
cat /proc/$$/mountinfo
echo '[devices]'
find /dev | sort | while read -r path; do
    stat -c '%n %F %a %u:%g %t,%T' "$path" | sed 's/character special file/character/; s/symbolic link/link/'
    [ -L "$path" ] && echo "$path -> $(readlink "$path")"
done
echo '[descriptors]'
stat -c '%A %N' /proc/$$/fd/*
echo '[environment]'
tr '\0' '\n' </proc/$$/environ
echo '[limits]'
cat /proc/$$/limits
echo '[namespaces]'
for path in /proc/$$/ns/*; do echo "${path##*/} $(readlink "$path")"; done
echo '[names]'
for path in cwd root exe; do echo "$path $(readlink /proc/$$/$path)"; done
echo "host $(uname -n)"
echo "uids $(cat /proc/$$/uid_map)"
echo "gids $(cat /proc/$$/gid_map)"
for name in oom_score_adj personality; do echo "$name $(cat /proc/$$/$name)"; done
echo '[cgroup]'
cat /proc/$$/cgroup
echo '[pid 1]'
for path in fd/0 cwd root exe ns/mnt; do
    echo "$path $(readlink "/proc/1/$path" || echo refused)"
done
for path in environ maps mem; do
    if head -c 1 "/proc/1/$path" >/dev/null 2>&1; then echo "$path readable"; else echo "$path refused"; fi
done
echo '[end]'
read -r _
