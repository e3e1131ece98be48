/* Queues, events and workspaces of a run, through public calls and through the stream itself. */
#include <math.h>

#include "clgrad/conv2d.h"
#include "runtime/context.h"
#include "runtime/kernel.h"
#include "support/caller.h"
#include "support/testing.h"

enum { COUNT = 256 };

/* y = relu6(x): with fills and copies, enough for chains in which the order shows. */
struct chain {
    clg_context *ctx;
    clg_activation *plan;
    clg_tensor *x, *y;
};

static struct chain make(clg_context *ctx)
{
    struct chain c = {.ctx = ctx};
    clg_activation_desc desc = {CLG_ACTIVATION_RELU6, 0, clg_desc_1d(COUNT)};
    OK(clg_activation_create(ctx, &desc, &c.plan));
    OK(clg_tensor_create(ctx, &desc.x, &c.x));
    OK(clg_tensor_create(ctx, &desc.x, &c.y));
    return c;
}

static void release(const struct chain *c)
{
    clg_tensor_destroy(c->x);
    clg_tensor_destroy(c->y);
    clg_activation_destroy(c->plan);
}

static void expect_all(const clg_tensor *tensor, float value)
{
    float data[COUNT];
    OK(clg_tensor_download(tensor, data, NULL));
    for (int i = 0; i < COUNT; i++)
        assert_true(data[i] == value);
}

/* Oclgrind runs commands inside clFlush, which then waits for a gate that stays closed. */
static void skip_without_a_thread_of_the_driver(void)
{
    if (strcmp(clg_context_device(testing_context())->platform_name, "Oclgrind") == 0)
        skip();
}

static cl_event user_event(clg_context *ctx)
{
    cl_int code;
    cl_event event = clCreateUserEvent(clg_context_cl_context(ctx), &code);
    assert_int_equal(code, CL_SUCCESS);
    return event;
}

static void open_gate(cl_event gate)
{
    assert_int_equal(clSetUserEventStatus(gate, CL_COMPLETE), CL_SUCCESS);
}

/* ---- Events ---- */

static void an_event_completes_with_the_last_command(void **state)
{
    (void)state;
    struct chain c = make(testing_context());
    cl_event done = NULL;
    OK(clg_tensor_fill(c.x, 9, NULL));
    OK(clg_activation_forward(c.plan, c.y, c.x, &(clg_run){.event = &done}));
    assert_non_null(done);
    assert_int_equal(clWaitForEvents(1, &done), CL_SUCCESS);
    assert_true(caller_complete(done));
    clReleaseEvent(done);
    expect_all(c.y, 6);
    release(&c);
}

static void a_run_waits_for_the_callers_events(void **state)
{
    (void)state;
    skip_without_a_thread_of_the_driver();
    struct chain c = make(testing_context());
    cl_event gates[2] = {user_event(c.ctx), user_event(c.ctx)}, done;
    OK(clg_tensor_fill(c.y, 1, NULL));
    OK(clg_tensor_fill(c.x, 9, NULL));
    OK(clg_context_finish(c.ctx));
    const clg_run run = {.num_wait = 2, .wait_list = gates, .event = &done};
    OK(clg_activation_forward(c.plan, c.y, c.x, &run));
    assert_false(caller_complete(done));
    open_gate(gates[0]);
    assert_false(caller_complete(done)); /* one of two is not enough */
    open_gate(gates[1]);
    assert_int_equal(clWaitForEvents(1, &done), CL_SUCCESS);
    expect_all(c.y, 6);
    for (int i = 0; i < 2; i++)
        clReleaseEvent(gates[i]);
    clReleaseEvent(done);
    release(&c);
}

/* The host memory must not be read before the gate opens. */
static void transfers_with_an_event_return_at_once(void **state)
{
    (void)state;
    skip_without_a_thread_of_the_driver();
    struct chain c = make(testing_context());
    float up[COUNT], down[COUNT];
    cl_event gate = user_event(c.ctx), uploaded, downloaded;
    OK(clg_tensor_upload(c.x, up, NULL)); /* any contents */
    for (int i = 0; i < COUNT; i++)
        up[i] = down[i] = 0;
    OK(clg_tensor_upload(c.x, up,
                         &(clg_run){.num_wait = 1, .wait_list = &gate, .event = &uploaded}));
    OK(clg_tensor_download(c.x, down, &(clg_run){.event = &downloaded}));
    assert_false(caller_complete(uploaded));
    assert_false(caller_complete(downloaded));
    for (int i = 0; i < COUNT; i++)
        up[i] = (float)i;
    open_gate(gate);
    assert_int_equal(clWaitForEvents(1, &downloaded), CL_SUCCESS);
    for (int i = 0; i < COUNT; i++)
        assert_true(down[i] == (float)i);
    clReleaseEvent(gate);
    clReleaseEvent(uploaded);
    clReleaseEvent(downloaded);
    release(&c);
}

static void fill_copy_map_and_unmap_give_events_too(void **state)
{
    (void)state;
    struct chain c = make(testing_context());
    cl_event events[4];
    clg_buffer *buffer = clg_tensor_buffer(c.y, NULL);
    void *host;
    OK(clg_tensor_fill(c.x, 3, &(clg_run){.event = &events[0]}));
    OK(clg_tensor_copy(c.y, c.x, &(clg_run){.event = &events[1]}));
    OK(clg_buffer_map(buffer, 0, 4 * COUNT, CL_MAP_READ | CL_MAP_WRITE, &host,
                      &(clg_run){.event = &events[2]}));
    assert_int_equal(clWaitForEvents(1, &events[2]), CL_SUCCESS);
    assert_true(((float *)host)[COUNT - 1] == 3);
    for (int i = 0; i < COUNT; i++)
        ((float *)host)[i] = 4;
    OK(clg_buffer_unmap(buffer, host, &(clg_run){.event = &events[3]}));
    assert_int_equal(clWaitForEvents(4, events), CL_SUCCESS);
    for (int i = 0; i < 4; i++)
        clReleaseEvent(events[i]);
    expect_all(c.y, 4);
    release(&c);
}

/* ---- Queues ---- */

static void an_out_of_order_queue_of_the_caller_keeps_clgrads_order(void **state)
{
    (void)state;
    cl_command_queue_properties possible = 0;
    clGetDeviceInfo(clg_context_cl_device(testing_context()), CL_DEVICE_QUEUE_PROPERTIES,
                    sizeof possible, &possible, NULL);
    if (!(possible & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE))
        skip();
    struct caller caller = caller_make(CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
    clg_context *ctx = caller_context(&caller);
    struct chain c = make(ctx);
    const int rounds = testing_small() ? 5 : 100;
    for (int i = 0; i < rounds; i++) {
        OK(clg_tensor_fill(c.x, (float)(i % 5), NULL));
        OK(clg_activation_forward(c.plan, c.y, c.x, NULL));
        OK(clg_tensor_fill(c.x, -1, NULL));
        OK(clg_tensor_copy(c.x, c.y, NULL));
        OK(clg_tensor_fill(c.y, -1, NULL));
        expect_all(c.x, (float)(i % 5));
    }
    release(&c);
    clg_context_destroy(ctx);
    caller_release(&caller);
}

static void another_queue_joins_in_by_events(void **state)
{
    (void)state;
    struct chain c = make(testing_context());
    cl_command_queue second =
        caller_queue(clg_context_cl_context(c.ctx), clg_context_cl_device(c.ctx), 0);
    for (int i = 0; i < 10; i++) {
        cl_event filled, computed;
        float value = (float)(i % 6);
        OK(clg_tensor_fill(c.x, value, &(clg_run){.event = &filled}));
        OK(clg_activation_forward(
            c.plan, c.y, c.x,
            &(clg_run){.queue = second, .num_wait = 1, .wait_list = &filled, .event = &computed}));
        clFlush(second); /* the caller's own queue is the caller's to flush */
        OK(clg_tensor_fill(c.x, -1, &(clg_run){.num_wait = 1, .wait_list = &computed}));
        expect_all(c.y, value);
        clReleaseEvent(filled);
        clReleaseEvent(computed);
    }
    clReleaseCommandQueue(second);
    release(&c);
}

static void a_queue_of_another_context_is_refused(void **state)
{
    (void)state;
    struct caller caller = caller_make(0);
    struct chain c = make(testing_context());
    cl_event event = (cl_event)&event;
    FAILS(CLG_INVALID_ARGUMENT, "another OpenCL context",
          clg_activation_forward(c.plan, c.y, c.x,
                                 &(clg_run){.queue = caller.queue, .event = &event}));
    assert_null(event);
    release(&c);
    caller_release(&caller);
}

static void a_wait_list_and_its_length_belong_together(void **state)
{
    (void)state;
    struct chain c = make(testing_context());
    cl_event gate = user_event(c.ctx), event = (cl_event)&event;
    FAILS(CLG_INVALID_ARGUMENT, "2 events to wait for and no list",
          clg_tensor_fill(c.x, 0, &(clg_run){.num_wait = 2, .event = &event}));
    assert_null(event);
    FAILS(CLG_INVALID_ARGUMENT, "0 events to wait for and a list",
          clg_tensor_fill(c.x, 0, &(clg_run){.wait_list = &gate}));
    open_gate(gate);
    clReleaseEvent(gate);
    release(&c);
}

/* ---- Workspace ---- */

static void the_stream_finds_its_workspace(void **state)
{
    (void)state;
    clg_context *ctx;
    clg_buffer *own;
    struct clg__stream stream;
    OK(clg_context_create(NULL, &ctx));
    OK(clg_buffer_create(ctx, 512, &own));
    OK(clg__stream_begin(&stream, ctx, NULL, 0));
    assert_null(stream.workspace.object);
    OK(clg__scratch_reserve(ctx, 1024));
    OK(clg__stream_begin(&stream, ctx, NULL, 1024));
    assert_non_null(stream.workspace.object);
    OK(clg__stream_begin(&stream, ctx, &(clg_run){.workspace = own}, 512));
    assert_ptr_equal(stream.workspace.object, clg_buffer_cl_mem(own, NULL));
    FAILS(CLG_INVALID_ARGUMENT, "512 bytes, 513 are needed",
          clg__stream_begin(&stream, ctx, &(clg_run){.workspace = own}, 513));
    FAILS(CLG_INVALID_ARGUMENT, "another context",
          clg__stream_begin(&stream, testing_context(), &(clg_run){.workspace = own}, 4));
    FAILS(CLG_INTERNAL_ERROR, "1024 bytes, 1025 are needed",
          clg__stream_begin(&stream, ctx, NULL, 1025));
    cl_command_queue second =
        caller_queue(clg_context_cl_context(ctx), clg_context_cl_device(ctx), 0);
    FAILS(CLG_INVALID_ARGUMENT, "a workspace of its own, 8 bytes",
          clg__stream_begin(&stream, ctx, &(clg_run){.queue = second}, 8));
    OK(clg__stream_begin(&stream, ctx, &(clg_run){.queue = second}, 0));
    OK(clg__stream_begin(&stream, ctx, &(clg_run){.queue = second, .workspace = own}, 8));
    clReleaseCommandQueue(second);
    clg_buffer_destroy(own);
    clg_context_destroy(ctx);
}

/* The same convolution by an algorithm with much workspace, on two queues at once, each with a
 * workspace of its own; the results are those of one queue. */
static void two_queues_compute_at_once_in_their_own_workspaces(void **state)
{
    (void)state;
    clg_context *ctx = testing_context();
    clg_conv2d_desc desc = clg_conv2d_desc_init(clg_desc_4d(2, 3, 9, 9), 4, 3, 3);
    desc.algorithm[CLG_CONV2D_FORWARD] = "textbook";
    desc.stride[0] = desc.stride[1] = 2;
    desc.padding[0] = 1;
    clg_conv2d *plan;
    OK(clg_conv2d_create(ctx, &desc, &plan));
    double *data = testing_uniform(2 * 3 * 9 * 9, 1), *filter = testing_uniform(4 * 3 * 3 * 3, 2);
    clg_tensor *x = testing_tensor_from(clg_conv2d_x_desc(plan), data);
    clg_tensor *w = testing_tensor_from(clg_conv2d_w_desc(plan), filter);
    clg_tensor *y[3];
    for (int i = 0; i < 3; i++)
        y[i] = testing_tensor(clg_conv2d_y_desc(plan), NULL);
    OK(clg_conv2d_forward(plan, y[0], x, w, NULL, NULL));
    OK(clg_context_finish(ctx));
    size_t bytes = clg_conv2d_workspace_size(plan, CLG_CONV2D_FORWARD);
    assert_true(bytes > 0);
    clg_buffer *workspace[2];
    cl_command_queue queue[2];
    for (int i = 0; i < 2; i++) {
        OK(clg_buffer_create(ctx, bytes, &workspace[i]));
        queue[i] = caller_queue(clg_context_cl_context(ctx), clg_context_cl_device(ctx), 0);
    }
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < 2; i++)
            OK(clg_conv2d_forward(plan, y[1 + i], x, w, NULL,
                                  &(clg_run){.queue = queue[i], .workspace = workspace[i]}));
    for (int i = 0; i < 2; i++) {
        clFinish(queue[i]);
        testing_expect_same_bits("on a queue of its own", y[1 + i], y[0]);
        clReleaseCommandQueue(queue[i]);
        clg_buffer_destroy(workspace[i]);
    }
    for (int i = 0; i < 3; i++)
        clg_tensor_destroy(y[i]);
    clg_tensor_destroy(x);
    clg_tensor_destroy(w);
    clg_conv2d_destroy(plan);
    free(data);
    free(filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_completes_with_the_last_command),
        cmocka_unit_test(a_run_waits_for_the_callers_events),
        cmocka_unit_test(transfers_with_an_event_return_at_once),
        cmocka_unit_test(fill_copy_map_and_unmap_give_events_too),
        cmocka_unit_test(an_out_of_order_queue_of_the_caller_keeps_clgrads_order),
        cmocka_unit_test(another_queue_joins_in_by_events),
        cmocka_unit_test(a_queue_of_another_context_is_refused),
        cmocka_unit_test(a_wait_list_and_its_length_belong_together),
        cmocka_unit_test(the_stream_finds_its_workspace),
        cmocka_unit_test(two_queues_compute_at_once_in_their_own_workspaces),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
