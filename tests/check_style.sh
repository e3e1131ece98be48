#!/bin/sh
# sh check_style.sh SOURCE_DIR: limits that a formatter does not keep. C files have at most 500
# lines, kernels 350, tests 700; no line is longer than 100 columns, tables aside; nothing is left
# to do.
cd "$1" || exit 2
bad=0
for file in src/*/*.[ch] include/clgrad/*.h kernels_cl/* tests/*.[ch] tests/*/*.[ch] examples/*.c; do
    case $file in
    kernels_cl/*) limit=350 ;;
    tests/*) limit=700 ;;
    *) limit=500 ;;
    esac
    lines=$(wc -l <"$file")
    [ "$lines" -le "$limit" ] || { echo "$file has $lines lines, $limit are the limit"; bad=1; }
    # Characters, not bytes: UTF-8's continuation bytes are 10xxxxxx.
    LC_ALL=C sed 's/[\x80-\xBF]//g' "$file" | awk -v file="$file" '
        /clang-format off/ { table = 1 }
        /clang-format on/ { table = 0 }
        length($0) > 100 && !table { print file ":" NR ": more than 100 columns"; bad = 1 }
        /TODO|FIXME|XXX:|^#if 0/ { print file ":" NR ": left to do: " $0; bad = 1 }
        END { exit bad }' || bad=1
done
exit $bad
