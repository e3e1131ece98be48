/*
 * Convolution forward and backward inside a caller's own OpenCL context, queue, buffers and events.
 *
 * One large cl_mem holds x, w, y and the gradients one after the other; clgrad gets views of it.
 * The upload gives an event that the forward pass waits for; the backward pass gives an event that
 * the program waits for. clgrad never blocks in between.
 */
#include <clgrad/clgrad.h>

#include <stdio.h>

enum { N = 2, C = 3, H = 8, W = 8, K = 4, R = 3, S = 3 };
enum { X = N * C * H * W, FILTER = K * C * R * S, Y = N * K * H * W };

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if ((call) != CLG_OK) {                                                                    \
            fprintf(stderr, "%s: %s\n", #call, clg_last_error());                                  \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

#define TRY_CL(code, call)                                                                         \
    do {                                                                                           \
        if ((code) != CL_SUCCESS) {                                                                \
            fprintf(stderr, "%s failed: %d\n", call, (int)(code));                                 \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

/* The caller's own OpenCL, made without clgrad. */
struct own {
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    cl_mem memory;
};

static int make_own(struct own *own, size_t bytes)
{
    cl_platform_id platform;
    cl_int code;
    TRY_CL(clGetPlatformIDs(1, &platform, NULL), "clGetPlatformIDs");
    TRY_CL(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &own->device, NULL), "clGetDeviceIDs");
    own->context = clCreateContext(NULL, 1, &own->device, NULL, NULL, &code);
    TRY_CL(code, "clCreateContext");
    own->queue = clCreateCommandQueue(own->context, own->device, 0, &code);
    TRY_CL(code, "clCreateCommandQueue");
    own->memory = clCreateBuffer(own->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    TRY_CL(code, "clCreateBuffer");
    return 0;
}

/* Where each tensor lies in the memory object, in floats. */
enum { AT_X = 0, AT_W = AT_X + X, AT_Y = AT_W + FILTER, AT_DX = AT_Y + Y, AT_DW = AT_DX + X };
enum { FLOATS = AT_DW + FILTER };

static int view(clg_context *ctx, cl_mem memory, int at, const clg_tensor_desc *desc,
                clg_tensor **tensor)
{
    size_t bytes;
    clg_buffer *buffer;
    TRY(clg_tensor_desc_bytes(desc, &bytes));
    TRY(clg_buffer_wrap(ctx, memory, (size_t)at * sizeof(float), bytes, &buffer));
    TRY(clg_tensor_view(buffer, 0, desc, tensor));
    clg_buffer_destroy(buffer); /* the tensor keeps what it needs */
    return 0;
}

/* x and w are all ones, dy is y: every number can be counted on one's fingers. */
static int check(const float *host)
{
    const float inside = host[AT_Y + 3 * W + 3], corner = host[AT_Y];
    const float gradient = host[AT_DX + 3 * W + 3];
    printf("y: %g inside, %g in the corner; dx: %g inside\n", (double)inside, (double)corner,
           (double)gradient);
    const float window = C * R * S;
    return inside == window && corner == C * 2 * 2 && gradient == K * R * S * window ? 0 : 1;
}

int main(void)
{
    static float host[FLOATS];
    for (int i = 0; i < AT_Y; i++)
        host[i] = 1;
    struct own own;
    if (make_own(&own, sizeof host) != 0)
        return 1;

    clg_context *ctx;
    const clg_context_desc desc = {
        .cl_context = own.context, .cl_device = own.device, .cl_queue = own.queue};
    TRY(clg_context_create(&desc, &ctx));
    clg_conv2d_desc conv = clg_conv2d_desc_init(clg_desc_4d(N, C, H, W), K, R, S);
    for (int side = 0; side < 4; side++)
        conv.padding[side] = 1;
    clg_conv2d *plan;
    TRY(clg_conv2d_create(ctx, &conv, &plan));

    clg_tensor *x, *w, *y, *dx, *dw;
    if (view(ctx, own.memory, AT_X, clg_conv2d_x_desc(plan), &x) ||
        view(ctx, own.memory, AT_W, clg_conv2d_w_desc(plan), &w) ||
        view(ctx, own.memory, AT_Y, clg_conv2d_y_desc(plan), &y) ||
        view(ctx, own.memory, AT_DX, clg_conv2d_x_desc(plan), &dx) ||
        view(ctx, own.memory, AT_DW, clg_conv2d_w_desc(plan), &dw))
        return 1;

    cl_event uploaded, done;
    TRY_CL(clEnqueueWriteBuffer(own.queue, own.memory, CL_FALSE, 0, AT_Y * sizeof(float), host, 0,
                                NULL, &uploaded),
           "clEnqueueWriteBuffer");
    const clg_run after_upload = {.num_wait = 1, .wait_list = &uploaded};
    const clg_run with_event = {.event = &done};
    TRY(clg_conv2d_forward(plan, y, x, w, NULL, &after_upload));
    TRY(clg_conv2d_backward_data(plan, dx, y, w, NULL));
    TRY(clg_conv2d_backward_filter(plan, dw, NULL, x, y, &with_event));
    TRY_CL(
        clEnqueueReadBuffer(own.queue, own.memory, CL_TRUE, 0, sizeof host, host, 1, &done, NULL),
        "clEnqueueReadBuffer");
    int status = check(host);

    clReleaseEvent(uploaded);
    clReleaseEvent(done);
    clg_tensor *tensors[] = {x, w, y, dx, dw};
    for (int i = 0; i < 5; i++)
        clg_tensor_destroy(tensors[i]);
    clg_conv2d_destroy(plan);
    clg_context_destroy(ctx);
    clReleaseMemObject(own.memory);
    clReleaseCommandQueue(own.queue);
    clReleaseContext(own.context);
    return status;
}
