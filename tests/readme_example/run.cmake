# cmake -DPROGRAM=... -DEXPECTED=file -P run.cmake: fails unless PROGRAM prints what the file holds.
execute_process(COMMAND ${PROGRAM} OUTPUT_VARIABLE printed RESULT_VARIABLE result)
file(READ ${EXPECTED} expected)
if(NOT result EQUAL 0)
    message(FATAL_ERROR "the program ended with ${result}; it printed:\n${printed}")
endif()
if(NOT printed STREQUAL expected)
    message(FATAL_ERROR "the program printed:\n${printed}README.md says:\n${expected}")
endif()
