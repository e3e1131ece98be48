# The program clgrad. Everything but main.c is a static library, so that tests reach its parts.
file(GLOB CLGRAD_CLI_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cli/*.c)
list(REMOVE_ITEM CLGRAD_CLI_SOURCES ${PROJECT_SOURCE_DIR}/src/cli/main.c)

add_library(clgrad_cli STATIC ${CLGRAD_CLI_SOURCES})
target_include_directories(clgrad_cli PUBLIC ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(clgrad_cli PUBLIC clgrad_static clgrad_reference PRIVATE clgrad_flags)

add_executable(clgrad ${PROJECT_SOURCE_DIR}/src/cli/main.c)
target_link_libraries(clgrad PRIVATE clgrad_cli clgrad_flags)
