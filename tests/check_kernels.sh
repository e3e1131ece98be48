#!/bin/sh
# sh check_kernels.sh SOURCE_DIR: every kernel file compiles as OpenCL C 1.2 with no -D, and has none
# of the extensions that this clang lets pass and other compilers do not: variadic macros. Exits with
# 77 (skipped) where there is no clang.
cd "$1/kernels_cl" || exit 2
command -v clang >/dev/null || { echo "clang is not installed: kernels are not checked"; exit 77; }
bad=0
grep -n '^#define.*\.\.\.' ./* && echo "variadic macros: NVIDIA's compiler refuses them" && bad=1
for kernel in *.cl; do
    clang -x cl -cl-std=CL1.2 -Xclang -finclude-default-header -fsyntax-only -Wall -Werror -I. \
        "$kernel" || bad=1
done
exit $bad
