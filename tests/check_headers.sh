#!/bin/sh
# sh check_headers.sh INCLUDE_DIR CC [CXX]: every public header compiles on its own and without
# warnings, as C11 and, given a C++ compiler, as C++11; and clgrad.h reaches every one.
dir=$1 cc=$2 cxx=$3
bad=0
reached=$(echo '#include "clgrad/clgrad.h"' | $cc -I"$dir" -xc -M - | tr ' ' '\n')
for header in "$dir"/clgrad/*.h; do
    name=clgrad/$(basename "$header")
    program="#include \"$name\"
int main(void) { return 0; }"
    echo "$program" | $cc -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$dir" -xc -fsyntax-only - ||
        { echo "$name does not compile as C11"; bad=1; }
    [ -z "$cxx" ] || echo "$program" |
        $cxx -std=c++11 -Wall -Wextra -Wpedantic -Werror -I"$dir" -xc++ -fsyntax-only - ||
        { echo "$name does not compile as C++11"; bad=1; }
    case $reached in *"$name"*) ;; *) echo "clgrad.h does not include $name"; bad=1 ;; esac
done
exit $bad
