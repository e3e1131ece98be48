/*
 * bad none|bounds|race|uninitialized: launches a kernel with just that defect, or with none, for
 * the check that the checker sees them.
 */
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#include <CL/cl.h>

#include <stdio.h>

static const char *const source =
    "__kernel void none(__global const int *x, __global int *y)\n"
    "{ y[get_global_id(0)] = x[0]; }\n"
    "__kernel void bounds(__global const int *x, __global int *y)\n"
    "{ y[get_global_id(0) + 1] = x[0]; }\n"
    "__kernel void race(__global const int *x, __global int *y)\n"
    "{ y[0] = x[0] + (int)get_global_id(0); }\n"
    "__kernel void uninitialized(__global const int *x, __global int *y)\n"
    "{ y[get_global_id(0)] = x[0] ? 1 : y[get_global_id(0)]; }\n";

int main(int argc, char **argv)
{
    cl_platform_id platform;
    cl_device_id device;
    if (argc != 2 || clGetPlatformIDs(1, &platform, NULL) != CL_SUCCESS ||
        clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL) != CL_SUCCESS)
        return 2;
    cl_int code;
    cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
    cl_command_queue queue = clCreateCommandQueue(context, device, 0, &code);
    cl_program program = clCreateProgramWithSource(context, 1, (const char **)&source, NULL, &code);
    if (clBuildProgram(program, 1, &device, "", NULL, NULL) != CL_SUCCESS)
        return 2;
    cl_kernel kernel = clCreateKernel(program, argv[1], &code);
    if (code != CL_SUCCESS) {
        fprintf(stderr, "no kernel %s\n", argv[1]);
        return 2;
    }
    enum { ITEMS = 8 };
    int zero = 0;
    cl_mem x = clCreateBuffer(context, CL_MEM_COPY_HOST_PTR, sizeof zero, &zero, &code);
    cl_mem y = clCreateBuffer(context, CL_MEM_READ_WRITE, ITEMS * sizeof(int), NULL, &code);
    clSetKernelArg(kernel, 0, sizeof x, &x);
    clSetKernelArg(kernel, 1, sizeof y, &y);
    const size_t items = ITEMS;
    code = clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, &items, 0, NULL, NULL);
    return code == CL_SUCCESS && clFinish(queue) == CL_SUCCESS ? 0 : 2;
}
