# cmake --install: headers, both libraries, the program, a CMake package and a pkg-config file.
set(CLGRAD_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/clgrad)

# Only clg_ symbols leave the shared library; this also hides what static parts of it export.
set_target_properties(clgrad_shared PROPERTIES EXPORT_NAME clgrad)
target_link_options(clgrad_shared PRIVATE
                    LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/clgrad.map)

install(TARGETS clgrad_shared EXPORT clgradTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES $<TARGET_FILE:clgrad_static> DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/clgrad DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${PROJECT_SOURCE_DIR}/data/digits/LICENSE.txt DESTINATION ${CMAKE_INSTALL_DOCDIR}
        RENAME LICENSE-digits.txt)
if(TARGET clgrad)
    install(TARGETS clgrad RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

install(EXPORT clgradTargets NAMESPACE clgrad:: DESTINATION ${CLGRAD_CMAKE_DIR})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/clgradConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/clgradConfig.cmake
                              INSTALL_DESTINATION ${CLGRAD_CMAKE_DIR}
                              PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/clgradConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/clgradConfig.cmake
              ${PROJECT_BINARY_DIR}/clgradConfigVersion.cmake
        DESTINATION ${CLGRAD_CMAKE_DIR})

configure_file(${PROJECT_SOURCE_DIR}/cmake/clgrad.pc.in ${PROJECT_BINARY_DIR}/clgrad.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/clgrad.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
