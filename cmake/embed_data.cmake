# cmake -DIN=file -DSYMBOL=name -DHEADER=io/embedded_data.h -DOUT=data.c -P embed_data.cmake
# Writes the bytes of IN as `const unsigned char SYMBOL[]` and their count as `SYMBOL_size`; HEADER
# declares both.
file(READ ${IN} text HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${text}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
get_filename_component(name ${IN} NAME)
file(WRITE ${OUT}
"/* Generated from ${name} by cmake/embed_data.cmake. */
#include \"${HEADER}\"

const unsigned char ${SYMBOL}[] = {
${bytes}};
const size_t ${SYMBOL}_size = sizeof ${SYMBOL};
")
