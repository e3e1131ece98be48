#!/bin/sh
# install_test.sh BUILD SOURCE CC: installs the build into a folder of its own, moves that folder,
# builds the examples against it by find_package and by pkg-config, and runs them.
set -eu
build=$1 source=$2 cc=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/clgrad" # an installed tree can be moved
prefix=$work/clgrad

generator=$(sed -n 's/^CMAKE_GENERATOR:INTERNAL=//p' "$build/CMakeCache.txt") # make may be missing
cmake -G "$generator" -S "$source/examples" -B "$work/examples" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$work/examples" >/dev/null
libraries=$(dirname "$(find "$prefix" -name 'libclgrad.so')")
for example in own_opencl train_digits; do
    for kind in "$example" "${example}_static"; do
        echo "== $kind"
        "$work/examples/$kind"
    done
done

echo "== pkg-config"
export PKG_CONFIG_PATH="$libraries/pkgconfig"
# shellcheck disable=SC2046
"$cc" -std=c11 "$source/examples/own_opencl.c" -o "$work/own" $(pkg-config --cflags --libs clgrad)
LD_LIBRARY_PATH=$libraries "$work/own"

echo "== symbols"
strange=$(nm -D --defined-only "$libraries/libclgrad.so" | awk '$2 != "A" { print $3 }' |
    grep -v '^clg_[a-z]' || true)
[ -z "$strange" ] || { echo "exported, but not clg_: $strange"; exit 1; }
internal=$(nm -D --defined-only "$libraries/libclgrad.so" | grep ' clg__' || true)
[ -z "$internal" ] || { echo "exported, but internal: $internal"; exit 1; }

echo "== without a driver"
if OCL_ICD_VENDORS=/nonexistent LD_LIBRARY_PATH=$libraries "$prefix/bin/clgrad" info \
    >"$work/out" 2>&1; then
    echo "clgrad info found a driver where there is none"
    exit 1
fi
grep -q pocl-opencl-icd "$work/out"
