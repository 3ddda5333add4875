#!/bin/sh
# Builds thimble for every architecture that this machine can build for, and says for
# which it cannot: dist.sh [ARCHITECTURE]. Each goes to target/dist/thimble-ARCHITECTURE. It fails if one
# that has what it takes does not build.
set -eu
mkdir -p target/dist
failed=

# The core library of a target: `prebuilt` where rustup has one, `source` where there is
# only its source, which then is compiled along, or nothing.
core_of() {
    if [ "$(tests/tools/target.sh "$1")" = "$1" ]; then
        echo prebuilt
    elif [ -e "$(rustc --print sysroot)/lib/rustlib/src/rust/library/core" ] ||
        rustup component add rust-src >/dev/null 2>&1; then
        echo source
    fi
}

for target in x86_64-unknown-linux-musl aarch64-unknown-linux-musl \
    riscv64gc-unknown-linux-musl armv7-unknown-linux-musleabihf i686-unknown-linux-musl; do
    architecture=${target%%-*}
    architecture=${architecture%gc}
    [ "${1:-$architecture}" = "$architecture" ] || continue
    log=target/dist/$architecture.log
    made=target/$target/release/thimble
    case $(core_of "$target") in
    prebuilt) cargo build --release --locked --target "$target" >"$log" 2>&1 || failed=$target ;;
    source)
        # Compiling the core library is for nightly toolchains only, unless one asks like this.
        RUSTC_BOOTSTRAP=1 cargo build --release --locked -Zbuild-std=core --target "$target" \
            >"$log" 2>&1 || failed=$target
        ;;
    *)
        echo "$architecture: cannot be built here: neither \`rustup target add $target\`" \
            "nor \`rustup component add rust-src\` works"
        continue
        ;;
    esac
    if [ "$failed" != "$target" ]; then
        install -m 755 "$made" "target/dist/thimble-$architecture"
        rm "$log"
        echo "target/dist/thimble-$architecture: $(wc -c <"$made") bytes"
    else
        rm -f "target/dist/thimble-$architecture"
        tail -n 30 "$log" >&2
        echo "$architecture: does not build, see above" >&2
    fi
done
[ -z "$failed" ]
