#!/bin/sh
# Time and system calls, everything in one run: bench.sh ROOT
set -eu
root=$1
cc -O2 -Wall -Wextra -static -o target/article tests/tools/article.c
# A machine has its moods: many short rounds, in each of which all take their turn.
rm -f target/bench.*.json
round=0
while [ $round -lt "${ROUNDS:-15}" ]; do
    hyperfine -N --warmup 20 --runs "${RUNS:-150}" --style none \
        --export-json target/bench.$round.json \
        -n 'article, chroot' "target/article $root /bin/true" \
        -n 'article, pivot_root' "target/article -p $root /bin/true" \
        -n 'thimble run --bare' "target/thimble run --bare --hostname my-container $root /bin/true" \
        -n 'thimble run' "target/thimble run $root /bin/true" \
        -n 'unshare --root' "unshare --mount --uts --pid --fork --root=$root --mount-proc /bin/true" \
        -n 'bwrap, the same posture' "bwrap --unshare-all --bind $root / --proc /proc --dev /dev /bin/true" \
        >/dev/null 2>&1
    round=$((round + 1))
done
python3 - target/bench.*.json <<'END'
import json, statistics, sys
rounds = [json.load(open(path))["results"] for path in sys.argv[1:]]
print("of the medians of each round: the median (microseconds), and its ratio to the")
print("first, with the least and the greatest of any round:")
for number, row in enumerate(rounds[0]):
    medians = [results[number]["median"] for results in rounds]
    ratios = sorted(results[number]["median"] / results[0]["median"] for results in rounds)
    print(f"  {row['command']:22} {statistics.median(medians) * 1e6:8.0f}"
          f"   {statistics.median(ratios):.3f}  ({ratios[0]:.2f} to {ratios[-1]:.2f})")
END
echo
echo "system calls of thimble, in all its processes:"
for options in --bare ''; do
    strace -f -qq -o target/strace.out target/thimble run $options "$root" /bin/true
    # Without those of the program: what its process does after its execve. And without
    # those that undo what the caller ignores: some C libraries leave two such signals.
    awk '
        program && $1 == program { next }
        / execve\(/ && seen++ { program = $1 }
        /resumed>|^[0-9]+ +(---|\+\+\+|rt_sigaction\(SIGRT)/ { next }
        { count++ }
        END { printf "  thimble run %-7s %d\n", options, count }
    ' options="$options" target/strace.out
done
