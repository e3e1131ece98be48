/* The library's version. */
#ifndef CLGRAD_VERSION_H
#define CLGRAD_VERSION_H

#include "clgrad/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the headers; CMakeLists.txt names the same one, and a test compares them. */
#define CLG_VERSION_MAJOR 0
#define CLG_VERSION_MINOR 1
#define CLG_VERSION_PATCH 0
#define CLG_VERSION_STRING "0.1.0"

/* "0.1.0": the version of the library that the program runs with. */
CLG_API const char *clg_version(void);

#ifdef __cplusplus
}
#endif

#endif
