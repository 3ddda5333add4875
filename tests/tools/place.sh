#!/bin/sh
# Puts an executable into its place: place.sh FROM TO. Without what the linker leaves
# behind its segments: it writes no section headers, and keeps the room for them.
set -eu
install -m 755 "$1" "$2"
command -v readelf >/dev/null || exit 0
end=0
for segment in $(readelf -lW "$2" 2>/dev/null |
    sed -n 's/^ *LOAD *\(0x[0-9a-f]*\) 0x[0-9a-f]* 0x[0-9a-f]* \(0x[0-9a-f]*\).*/\1+\2/p'); do
    of=$((${segment%+*} + ${segment#*+}))
    # One that takes no place in the file may seem to begin behind its end.
    [ $((${segment#*+})) = 0 ] || [ $of -le $end ] || end=$of
done
# Only where nothing but zeros is cut off.
[ "$end" -gt 0 ] || exit 0
[ -n "$(tail -c +$((end + 1)) "$2" | tr -d '\0' | head -c 1)" ] || truncate -s "$end" "$2"
