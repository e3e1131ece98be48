/* The OpenCL types that appear in clgrad's interface, at OpenCL 1.2. */
#ifndef CLGRAD_OPENCL_H
#define CLGRAD_OPENCL_H

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>

#endif
