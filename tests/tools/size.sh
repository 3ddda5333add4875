#!/bin/sh
# The size of the binary, where it goes, and whether it keeps to the budget:
# size.sh BINARY TARGET BUDGET
set -eu
binary=$1 target=$2 budget=$3
bytes=$(wc -c <"$binary")
# The same build with its symbols, to be measured by.
THIMBLE_SECTIONS=1 CARGO_PROFILE_RELEASE_STRIP=false cargo build --release --locked -q \
    --target "$target" --target-dir target/symbols
symbols=target/symbols/$target/release/thimble
echo "$binary: $bytes bytes"
echo
echo "segments, as the kernel maps them:"
readelf -lW "$binary" | grep -E '^ +(LOAD|GNU_STACK)' | awk '{print "  " $1, $6, $7, $8}'
echo
echo "parts:"
size -A "$symbols" | awk '$1 == ".text" || $1 == ".rodata" {printf "  %-8s %6d\n", $1, $2}'
echo
echo "the largest functions (bytes; what was inlined counts for its caller):"
nm -S --size-sort -C -t d "$symbols" | tail -n 20 | sort -k2 -rn |
    sed 's/^[0-9]* 0*\([0-9]*\) . /\1 /' | awk '{printf "  %6d ", $1; $1 = ""; print $0}'
if [ "$(uname -m)" = x86_64 ] && [ "$bytes" -gt "$budget" ]; then
    echo
    echo "size.sh: $bytes bytes are more than the budget of $budget" >&2
    exit 1
fi
