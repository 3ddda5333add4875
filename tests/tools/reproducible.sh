#!/bin/sh
# Builds the sources twice, in two other places, and compares all three builds: reproducible.sh TARGET
set -eu
target=$1
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
for copy in one a-second-place; do
    mkdir -p "$place/$copy"
    git ls-files -z | xargs -0 cp --parents -t "$place/$copy"
    (cd "$place/$copy" && cargo build --release --locked -q --target "$target" &&
        tests/tools/place.sh "target/$target/release/thimble" target/thimble)
done
first=$place/one/target/thimble
cmp "$first" "$place/a-second-place/target/thimble"
cmp "$first" target/thimble
echo "reproducible: $(sha256sum <"$first" | cut -c1-16), three builds alike"
