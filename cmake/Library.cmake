# libclgrad: one set of objects, linked once as a shared and once as a static library.
file(GLOB CLGRAD_SOURCES CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/src/base/*.c ${PROJECT_SOURCE_DIR}/src/runtime/*.c
     ${PROJECT_SOURCE_DIR}/src/ops/*.c ${PROJECT_SOURCE_DIR}/src/train/*.c
     ${PROJECT_SOURCE_DIR}/src/io/*.c)

add_library(clgrad_objects OBJECT ${CLGRAD_SOURCES} ${CLGRAD_KERNELS_C}
            ${CLGRAD_EMBEDDED_DATA})
target_include_directories(clgrad_objects PUBLIC ${PROJECT_SOURCE_DIR}/include
                           ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/kernels_cl)
target_link_libraries(clgrad_objects PRIVATE clgrad_flags PUBLIC OpenCL::OpenCL PkgConfig::CLBLAST
                      PkgConfig::SQLITE PkgConfig::JANSSON PkgConfig::ZLIB m)

foreach(kind shared static)
    string(TOUPPER ${kind} type)
    set(target clgrad_${kind})
    add_library(${target} ${type} $<TARGET_OBJECTS:clgrad_objects>)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME clgrad)
    target_include_directories(${target} INTERFACE
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
endforeach()
set_target_properties(clgrad_shared PROPERTIES VERSION ${PROJECT_VERSION}
                      SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
set(CLGRAD_LIBRARIES OpenCL::OpenCL PkgConfig::CLBLAST PkgConfig::SQLITE PkgConfig::JANSSON
    PkgConfig::ZLIB m)
target_link_libraries(clgrad_shared PRIVATE clgrad_flags ${CLGRAD_LIBRARIES})
target_link_libraries(clgrad_static PUBLIC ${CLGRAD_LIBRARIES} PRIVATE $<BUILD_INTERFACE:clgrad_flags>)
