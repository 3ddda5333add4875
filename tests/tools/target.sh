#!/bin/sh
# Prints the target to build for: target.sh MUSL-TARGET. That one, installed if
# rustup can, or else the host's own.
musl=$1
if rustc --print target-libdir --target "$musl" 2>/dev/null | xargs -r test -d; then
    echo "$musl"
elif rustup target add "$musl" >/dev/null 2>&1; then
    echo "$musl"
else
    rustc -vV | sed -n 's/^host: //p'
fi
