# Embeds data files as byte arrays, so that a program that links the library finds no file at run
# time. clgrad_embed_data(file symbol header) adds one generated C file to CLGRAD_EMBEDDED_DATA.
function(clgrad_embed_data file symbol header)
    set(out ${PROJECT_BINARY_DIR}/${symbol}.c)
    add_custom_command(
        OUTPUT ${out}
        COMMAND ${CMAKE_COMMAND} -DIN=${PROJECT_SOURCE_DIR}/${file} -DSYMBOL=${symbol}
                -DHEADER=${header} -DOUT=${out} -P ${PROJECT_SOURCE_DIR}/cmake/embed_data.cmake
        DEPENDS ${PROJECT_SOURCE_DIR}/${file} ${PROJECT_SOURCE_DIR}/cmake/embed_data.cmake
        COMMENT "Embedding ${file}"
        VERBATIM)
    set(CLGRAD_EMBEDDED_DATA ${CLGRAD_EMBEDDED_DATA} ${out} PARENT_SCOPE)
endfunction()

clgrad_embed_data(data/digits/digits.csv.gz clg__digits_csv_gz io/embedded_data.h)
