#!/bin/sh
# sh check_layers.sh SOURCE_DIR: a layer includes its own headers and those of the layers below;
# only runtime calls OpenCL, one file calls CLBlast, one sets kernel arguments and launches kernels.
cd "$1/src" || exit 2
bad=0
complain() { echo "$*"; bad=1; }

allowed() {
    case $1 in
    base) echo base ;;
    runtime) echo base runtime ;;
    ops) echo base runtime ops ;;
    io) echo base io ;;
    train) echo base runtime ops io train ;;
    cli) echo base runtime ops io train cli ref ;;
    *) complain "src/$1 is no layer that this test knows" ;;
    esac
}

# The layer of a public header is the folder of the source of that name.
layer_of() {
    case $1 in
    clgrad/*)
        name=$(basename "$1" .h)
        for layer in base runtime ops io train; do
            [ -e "$layer/$name.c" ] && echo $layer && return
        done ;;
    */*) echo "${1%%/*}" ;;
    esac
}

for layer in *; do
    below=$(allowed "$layer")
    for file in "$layer"/*.[ch]; do
        for header in $(sed -n 's/^#include "\(.*\)".*/\1/p' "$file"); do
            of=$(layer_of "$header")
            case " $below " in *" ${of:-$layer} "*) ;; *)
                complain "src/$file includes $header of the layer $of" ;;
            esac
        done
    done
done

for file in $(grep -lE '\bcl(Create|Enqueue|Get|Set|Retain|Release|Build|Finish|Flush|Wait)[A-Za-z]*\(' */*.c); do
    case $file in runtime/*) ;; *) complain "src/$file calls OpenCL" ;; esac
done
[ "$(grep -l clblast_c.h */*.[ch])" = runtime/gemm_clblast.c ] || complain "CLBlast has several users"
[ "$(grep -lE 'clSetKernelArg|clEnqueueNDRangeKernel' */*.[ch])" = runtime/kernel.c ] ||
    complain "kernel arguments are set or kernels launched outside of src/runtime/kernel.c"
exit $bad
