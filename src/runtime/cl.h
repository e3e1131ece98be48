/* The OpenCL headers, at the one version the library uses: 1.2. */
#ifndef CLG_RUNTIME_CL_H
#define CLG_RUNTIME_CL_H

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>

#endif
