#include "clgrad/batches.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/philox.h"
#include "runtime/queue.h"

/* Two of everything: one is filled and uploaded while the other one trains. */
enum { SLOTS = 2 };

struct slot {
    float *pixels;
    int32_t *labels;
    int64_t *indices;
    clg_tensor *x, *y;           /* of a whole batch */
    clg_tensor *last_x, *last_y; /* of the last, smaller one: views; NULL when all are whole */
    cl_event uploaded;
    cl_event used; /* after the commands that read it */
};

struct clg_batches {
    clg_context *ctx;
    clg_batches_desc desc;
    float *mean, *std; /* [C] */
    int64_t *order;    /* [images] */
    struct clg__random random;
    int64_t next; /* the batch that comes next */
    struct slot slots[SLOTS];
    int given; /* the slot of the batch given last; -1: none */
    cl_command_queue queue;
};

clg_status clg_image_set_statistics(const clg_image_set *set, float *mean, float *std)
{
    if (!set || !mean || !std)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "clg_image_set_statistics: set, mean or std is NULL");
    int64_t plane = (int64_t)set->height * set->width;
    for (int c = 0; c < set->channels; c++) {
        /* Whole numbers: exact up to 2^64 / 255^2 pixels. */
        uint64_t sum = 0, squares = 0;
        for (int64_t n = 0; n < set->count; n++) {
            const uint8_t *pixels = set->pixels + (n * set->channels + c) * plane;
            for (int64_t i = 0; i < plane; i++) {
                sum += pixels[i];
                squares += (uint64_t)pixels[i] * pixels[i];
            }
        }
        double count = (double)set->count * (double)plane, average = (double)sum / count;
        double variance = (double)squares / count - average * average;
        mean[c] = (float)(average / 255);
        std[c] = variance > 0 ? (float)(sqrt(variance) / 255) : 1.0f;
    }
    return CLG_OK;
}

static clg_status check_desc(const clg_batches_desc *desc)
{
    const clg_image_set *set = desc->set;
    if (!set || !set->pixels || !set->labels || set->count < 1)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_batches_create: the image set is %s",
                         set ? "empty" : "NULL");
    if (desc->batch < 1)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_batches_create: a batch of %lld",
                         (long long)desc->batch);
    if (desc->max_shift < 0 || desc->max_shift >= set->height || desc->max_shift >= set->width)
        return clg__fail(CLG_INVALID_ARGUMENT,
                         "clg_batches_create: a shift of %d pixels for images of %d x %d",
                         desc->max_shift, set->height, set->width);
    for (int c = 0; c < set->channels; c++)
        if ((desc->mean && !isfinite(desc->mean[c])) ||
            (desc->std && !(desc->std[c] > 0 && isfinite(desc->std[c]))))
            return clg__fail(CLG_INVALID_ARGUMENT,
                             "clg_batches_create: channel %d has mean %g and standard deviation "
                             "%g",
                             c, desc->mean ? (double)desc->mean[c] : 0,
                             desc->std ? (double)desc->std[c] : 1);
    return CLG_OK;
}

/* ---- Creation ---- */

static clg_status create_slot(const clg_batches *batches, struct slot *slot)
{
    const clg_image_set *set = batches->desc.set;
    int64_t batch = batches->desc.batch, last = set->count % batch;
    clg_tensor_desc x = clg_desc_4d(batch, set->channels, set->height, set->width);
    clg_tensor_desc y = {CLG_INT32, CLG_NCHW, 1, {batch}};
    CLG__TRY(clg_tensor_create(batches->ctx, &x, &slot->x));
    CLG__TRY(clg_tensor_create(batches->ctx, &y, &slot->y));
    slot->pixels = malloc(clg_tensor_bytes(slot->x));
    slot->labels = malloc(clg_tensor_bytes(slot->y));
    slot->indices = malloc((size_t)batch * sizeof *slot->indices);
    if (!slot->pixels || !slot->labels || !slot->indices)
        return clg__fail_alloc("a batch");
    if (last == 0)
        return CLG_OK;
    x.dims[0] = y.dims[0] = last;
    CLG__TRY(clg_tensor_view(clg_tensor_buffer(slot->x, NULL), 0, &x, &slot->last_x));
    return clg_tensor_view(clg_tensor_buffer(slot->y, NULL), 0, &y, &slot->last_y);
}

static clg_status fill(clg_batches *batches)
{
    const clg_image_set *set = batches->desc.set;
    size_t channels = (size_t)set->channels;
    batches->mean = malloc(channels * sizeof *batches->mean);
    batches->std = malloc(channels * sizeof *batches->std);
    batches->order = malloc((size_t)set->count * sizeof *batches->order);
    if (!batches->mean || !batches->std || !batches->order)
        return clg__fail_alloc("batches");
    for (size_t c = 0; c < channels; c++) {
        batches->mean[c] = batches->desc.mean ? batches->desc.mean[c] : 0;
        batches->std[c] = batches->desc.std ? batches->desc.std[c] : 1;
    }
    for (int i = 0; i < SLOTS; i++)
        CLG__TRY(create_slot(batches, &batches->slots[i]));
    return clg__queue_create(batches->ctx, &batches->queue);
}

clg_status clg_batches_create(clg_context *ctx, const clg_batches_desc *desc, clg_batches **out)
{
    if (!ctx || !desc || !out)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_batches_create: ctx, desc or batches is NULL");
    *out = NULL;
    CLG__TRY(check_desc(desc));
    clg_batches *batches = calloc(1, sizeof *batches);
    if (!batches)
        return clg__fail_alloc("batches");
    batches->ctx = clg__context_retain(ctx);
    batches->given = -1;
    batches->desc = *desc;
    if (batches->desc.batch > desc->set->count)
        batches->desc.batch = desc->set->count;
    clg_status status = fill(batches);
    if (status != CLG_OK) {
        clg_batches_destroy(batches);
        return status;
    }
    clg_batches_begin(batches, 0);
    *out = batches;
    return CLG_OK;
}

void clg_batches_destroy(clg_batches *batches)
{
    if (!batches)
        return;
    clg__queue_destroy(batches->queue);
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = &batches->slots[i];
        clg__event_drop(&slot->uploaded);
        clg__event_drop(&slot->used);
        clg_tensor_destroy(slot->x);
        clg_tensor_destroy(slot->y);
        clg_tensor_destroy(slot->last_x);
        clg_tensor_destroy(slot->last_y);
        free(slot->pixels);
        free(slot->labels);
        free(slot->indices);
    }
    free(batches->mean);
    free(batches->std);
    free(batches->order);
    clg_context_destroy(batches->ctx);
    free(batches);
}

/* ---- An epoch ---- */

int64_t clg_batches_count(const clg_batches *batches)
{
    int64_t images = batches->desc.set->count, batch = batches->desc.batch;
    return (images + batch - 1) / batch;
}

/* Streams 2^31 and up are not those of parameters, which count from 0. */
static uint32_t epoch_stream(uint64_t epoch)
{
    return (uint32_t)epoch | UINT32_C(0x80000000);
}

void clg_batches_begin(clg_batches *batches, uint64_t epoch)
{
    int64_t images = batches->desc.set->count;
    batches->next = 0;
    batches->random = clg__random_start(batches->desc.seed, epoch_stream(epoch));
    for (int64_t i = 0; i < images; i++)
        batches->order[i] = i;
    for (int64_t i = images - 1; i > 0 && batches->desc.shuffle; i--) {
        int64_t j = clg__random_below(&batches->random, (uint32_t)(i + 1));
        int64_t other = batches->order[j];
        batches->order[j] = batches->order[i];
        batches->order[i] = other;
    }
}

/* One plane, moved by (down, right); what comes in is pixel 0. */
static void copy_plane(const clg_image_set *set, const uint8_t *from, float *to, int down,
                       int right, float scale, float offset)
{
    for (int y = 0; y < set->height; y++)
        for (int x = 0; x < set->width; x++) {
            int v = y - down, u = x - right;
            bool inside = v >= 0 && v < set->height && u >= 0 && u < set->width;
            float pixel = inside ? (float)from[v * set->width + u] : 0.0f;
            to[y * set->width + x] = pixel * scale + offset;
        }
}

static int draw_shift(clg_batches *batches)
{
    int most = batches->desc.max_shift;
    return most ? (int)clg__random_below(&batches->random, 2 * (uint32_t)most + 1) - most : 0;
}

static void fill_slot(clg_batches *batches, struct slot *slot, int64_t count)
{
    const clg_image_set *set = batches->desc.set;
    int64_t plane = (int64_t)set->height * set->width, image = plane * set->channels;
    for (int64_t i = 0; i < count; i++) {
        int64_t from = batches->order[batches->next * batches->desc.batch + i];
        int down = draw_shift(batches), right = draw_shift(batches);
        slot->indices[i] = from;
        slot->labels[i] = set->labels[from];
        for (int c = 0; c < set->channels; c++)
            copy_plane(set, set->pixels + from * image + c * plane,
                       slot->pixels + i * image + c * plane, down, right,
                       1 / (255 * batches->std[c]), -batches->mean[c] / batches->std[c]);
    }
}

static clg_status upload(clg_batches *batches, struct slot *slot, clg_tensor *x, clg_tensor *y)
{
    cl_event first = NULL;
    clg_run run = {.queue = batches->queue, .event = &first};
    if (slot->used) {
        run.num_wait = 1;
        run.wait_list = &slot->used;
    }
    CLG__TRY(clg_tensor_upload(x, slot->pixels, &run));
    clg__event_drop(&first); /* the queue is in order: the second event stands for both */
    run = (clg_run){.queue = batches->queue, .event = &slot->uploaded};
    CLG__TRY(clg_tensor_upload(y, slot->labels, &run));
    CLG__TRY(clg__queue_flush(batches->ctx, batches->queue));
    return clg__queue_wait_for(batches->ctx, slot->uploaded);
}

/* Marks where the commands that read the batch given before end. */
static clg_status finish_given(clg_batches *batches)
{
    if (batches->given < 0)
        return CLG_OK;
    struct slot *slot = &batches->slots[batches->given];
    batches->given = -1;
    clg__event_drop(&slot->used);
    CLG__TRY(clg__queue_mark(batches->ctx, &slot->used));
    return clg__queue_flush(batches->ctx, NULL);
}

clg_status clg_batches_next(clg_batches *batches, clg_batch *batch)
{
    if (!batches || !batch)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_batches_next: batches or batch is NULL");
    *batch = (clg_batch){0};
    int before = batches->given;
    CLG__TRY(finish_given(batches));
    if (batches->next == clg_batches_count(batches))
        return CLG_OK;
    int index = before < 0 ? 0 : (before + 1) % SLOTS;
    struct slot *slot = &batches->slots[index];
    int64_t left = batches->desc.set->count - batches->next * batches->desc.batch;
    bool whole = left >= batches->desc.batch;
    int64_t count = whole ? batches->desc.batch : left;
    clg_tensor *x = whole ? slot->x : slot->last_x, *y = whole ? slot->y : slot->last_y;
    CLG__TRY(clg__event_finish(&slot->uploaded));
    fill_slot(batches, slot, count);
    CLG__TRY(upload(batches, slot, x, y));
    batches->next++;
    batches->given = index;
    *batch = (clg_batch){count, x, y, slot->indices};
    return CLG_OK;
}
