# Embeds kernels_cl/*.cl as byte arrays in one generated C file, so that a program that links the
# library finds no file at run time. Each array is regenerated only when a kernel source changes.
file(GLOB CLGRAD_KERNELS CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels_cl/*.cl)
file(GLOB CLGRAD_KERNEL_HEADERS CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels_cl/*.clh)
set(CLGRAD_KERNELS_C ${PROJECT_BINARY_DIR}/kernels.c)
add_custom_command(
    OUTPUT ${CLGRAD_KERNELS_C}
    COMMAND ${CMAKE_COMMAND} -DDIR=${PROJECT_SOURCE_DIR}/kernels_cl -DOUT=${CLGRAD_KERNELS_C}
            -P ${PROJECT_SOURCE_DIR}/cmake/embed_kernels.cmake
    DEPENDS ${CLGRAD_KERNELS} ${CLGRAD_KERNEL_HEADERS}
            ${PROJECT_SOURCE_DIR}/cmake/embed_kernels.cmake
    COMMENT "Embedding OpenCL kernels"
    VERBATIM)
