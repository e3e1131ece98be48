# cmake -DDIR=kernels_cl -DOUT=kernels.c -P embed_kernels.cmake
# Writes every DIR/*.cl as a byte array and one table of name, bytes, size. A line
# `#include "file.clh"` is replaced by that file: an OpenCL driver has no include path here, while
# a linter with -I kernels_cl reads the same sources as they stand.
file(GLOB sources RELATIVE ${DIR} ${DIR}/*.cl)
list(SORT sources)
set(arrays "")
set(table "")
foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME_WE)
    file(READ ${DIR}/${source} text)
    while(text MATCHES "#include \"([a-z0-9_]+\\.clh)\"\n")
        set(header ${CMAKE_MATCH_1})
        file(READ ${DIR}/${header} included)
        string(REPLACE "#include \"${header}\"\n" "${included}" text "${text}")
    endwhile()
    file(WRITE ${OUT}.text "${text}")
    file(READ ${OUT}.text hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "((0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,)(0x..,))" "\\1\n"
           bytes "${bytes}")
    string(APPEND arrays "static const char ${name}[] = {\n${bytes}0};\n")
    string(APPEND table "    {\"${name}\", ${name}, sizeof ${name} - 1},\n")
endforeach()
file(REMOVE ${OUT}.text)
file(WRITE ${OUT}
"/* Generated from kernels_cl by cmake/embed_kernels.cmake. */
#include \"runtime/kernel_sources.h\"

${arrays}
const struct clg__kernel_source clg__kernel_sources[] = {
${table}    {0, 0, 0},
};
")
