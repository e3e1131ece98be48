#include "cli/shape_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/result.h"
#include "cli/shape_list.h"
#include "ref/array.h"
#include "ref/random.h"

/* Floats count exactly up to here. */
static const double largest_exact = 16777216;

static struct ref_conv2d reference_of(const clg_conv2d_desc *desc)
{
    return (struct ref_conv2d){.n = desc->x.dims[0],
                               .c = desc->x.dims[1],
                               .h = desc->x.dims[2],
                               .w = desc->x.dims[3],
                               .k = desc->filters,
                               .r = desc->kernel[0],
                               .s = desc->kernel[1],
                               .stride_h = desc->stride[0],
                               .stride_w = desc->stride[1],
                               .pad_top = desc->padding[0],
                               .pad_left = desc->padding[1],
                               .pad_bottom = desc->padding[2],
                               .pad_right = desc->padding[3],
                               .dilation_h = desc->dilation[0],
                               .dilation_w = desc->dilation[1],
                               .groups = desc->groups,
                               .pad_mode = REF_PAD_ZEROS};
}

static int64_t count_of(const clg_tensor_desc *desc)
{
    int64_t count = 1;
    for (int i = 0; i < desc->ndim; i++)
        count *= desc->dims[i];
    return count;
}

/* The references work in doubles, and hold a padded copy of x or dx. */
static clg_status check_host_memory(const struct shape_case *made)
{
    const struct ref_conv2d *ref = &made->ref;
    double padded = (double)(ref->n * ref->c) * (double)(ref->pad_top + ref->h + ref->pad_bottom) *
                    (double)(ref->pad_left + ref->w + ref->pad_right);
    double needed = 8 * padded;
    for (int i = 0; i < SHAPE_TENSORS; i++)
        needed += 24 * (double)count_of(&made->shapes[i]);
    double there = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (there > 0 && needed > 0.75 * there)
        return clg__fail(CLG_UNSUPPORTED, "the reference needs more memory than this machine has");
    return CLG_OK;
}

clg_status shape_case_describe(const struct benchdnn_problem *problem, clg_layout layout,
                               struct shape_case *made)
{
    *made = (struct shape_case){.ctx = NULL};
    CLG__TRY(shape_describe(problem, layout, &made->desc, &made->shapes[SHAPE_Y],
                            &made->shapes[SHAPE_W]));
    made->shapes[SHAPE_X] = made->desc.x;
    made->shapes[SHAPE_B] = clg_desc_1d(problem->out_channels);
    made->ref = reference_of(&made->desc);
    return check_host_memory(made);
}

/* The most products in one sum over the directions asked for. */
static double most_terms(const struct shape_case *made, unsigned directions)
{
    const struct ref_conv2d *ref = &made->ref;
    const int64_t *y = made->shapes[SHAPE_Y].dims;
    double window = (double)(ref->r * ref->s), terms = 1;
    if (directions & 1u << CLG_CONV2D_FORWARD)
        terms = fmax(terms, (double)(ref->c / ref->groups) * window + 1);
    if (directions & 1u << CLG_CONV2D_BACKWARD_DATA)
        terms = fmax(terms, (double)(ref->k / ref->groups) * window);
    if (directions & 1u << CLG_CONV2D_BACKWARD_FILTER)
        terms = fmax(terms, (double)y[0] * (double)(y[2] * y[3]));
    return terms;
}

/*
 * Integers in [-m, m] with m so small that no sum of `terms` products leaves what floats count
 * exactly. Where even m = 1 is too much, so many of them are 0 that a sum stays far below.
 */
static void fill(double *data, int64_t count, double terms, uint64_t seed)
{
    struct ref_random random = {seed};
    int64_t m = (int64_t)sqrt(largest_exact / terms);
    m = m > 8 ? 8 : m;
    if (m >= 1) {
        ref_random_fill_integers(&random, m, data, count);
        return;
    }
    double kept = sqrt(largest_exact / 8 / terms);
    for (int64_t i = 0; i < count; i++)
        data[i] =
            fabs(ref_random_uniform(&random)) < kept ? (ref_random_bits(&random) & 1 ? 1 : -1) : 0;
}

clg_status shape_case_make(clg_context *ctx, unsigned directions, struct shape_case *made)
{
    double terms = most_terms(made, directions);
    made->ctx = ctx;
    for (int i = 0; i < SHAPE_TENSORS; i++) {
        int64_t count = count_of(&made->shapes[i]);
        CLG__TRY(clg_tensor_create(ctx, &made->shapes[i], &made->data[i]));
        made->host[i] = malloc((size_t)count * sizeof *made->host[i]);
        float *narrow = malloc((size_t)count * sizeof *narrow);
        clg_status status = made->host[i] && narrow ? CLG_OK : clg__fail_alloc("the data");
        if (status == CLG_OK) {
            fill(made->host[i], count, terms, (uint64_t)i + 1);
            for (int64_t e = 0; e < count; e++)
                narrow[e] = (float)made->host[i][e];
            status = result_upload(made->data[i], narrow);
        }
        free(narrow);
        CLG__TRY(status);
    }
    return CLG_OK;
}

void shape_case_release(struct shape_case *made)
{
    for (int i = 0; i < SHAPE_TENSORS; i++) {
        free(made->host[i]);
        clg_tensor_destroy(made->data[i]);
        made->host[i] = NULL;
        made->data[i] = NULL;
    }
}

static void compute_references(const struct shape_case *made, clg_conv2d_direction direction,
                               struct shape_results *results)
{
    double *const *host = made->host;
    switch (direction) {
    case CLG_CONV2D_FORWARD:
        ref_conv2d_forward(&made->ref, host[SHAPE_X], host[SHAPE_W], host[SHAPE_B],
                           results->references[0]);
        break;
    case CLG_CONV2D_BACKWARD_DATA:
        ref_conv2d_backward_data(&made->ref, host[SHAPE_W], host[SHAPE_Y], results->references[0]);
        break;
    case CLG_CONV2D_BACKWARD_FILTER:
        ref_conv2d_backward_filter(&made->ref, host[SHAPE_X], host[SHAPE_Y],
                                   results->references[0]);
        ref_conv2d_backward_bias(&made->ref, host[SHAPE_Y], results->references[1]);
        break;
    }
}

clg_status shape_results_make(const struct shape_case *made, clg_conv2d_direction direction,
                              struct shape_results *results)
{
    static const struct shape_results kinds[] = {
        [CLG_CONV2D_FORWARD] = {.count = 1, .which = {SHAPE_Y}, .names = {"y"}},
        [CLG_CONV2D_BACKWARD_DATA] = {.count = 1, .which = {SHAPE_X}, .names = {"dx"}},
        [CLG_CONV2D_BACKWARD_FILTER] = {.count = 2,
                                        .which = {SHAPE_W, SHAPE_B},
                                        .names = {"dw", "db"}},
    };
    *results = kinds[direction];
    for (int i = 0; i < results->count; i++) {
        const clg_tensor_desc *shape = &made->shapes[results->which[i]];
        CLG__TRY(clg_tensor_create(made->ctx, shape, &results->tensors[i]));
        results->references[i] = calloc((size_t)count_of(shape), sizeof(double));
        if (!results->references[i])
            return clg__fail_alloc("the reference");
    }
    compute_references(made, direction, results);
    return CLG_OK;
}

void shape_results_release(struct shape_results *results)
{
    for (int i = 0; i < results->count; i++) {
        clg_tensor_destroy(results->tensors[i]);
        free(results->references[i]);
    }
    results->count = 0;
}

clg_status shape_case_run(const struct shape_case *made, clg_conv2d_direction direction,
                          clg_conv2d *plan, const struct shape_results *results)
{
    clg_tensor *const *data = made->data;
    for (int i = 0; i < results->count; i++)
        CLG__TRY(result_poison(results->tensors[i]));
    switch (direction) {
    case CLG_CONV2D_FORWARD:
        return clg_conv2d_forward(plan, results->tensors[0], data[SHAPE_X], data[SHAPE_W],
                                  data[SHAPE_B], NULL);
    case CLG_CONV2D_BACKWARD_DATA:
        return clg_conv2d_backward_data(plan, results->tensors[0], data[SHAPE_Y], data[SHAPE_W],
                                        NULL);
    case CLG_CONV2D_BACKWARD_FILTER:
        return clg_conv2d_backward_filter(plan, results->tensors[0], results->tensors[1],
                                          data[SHAPE_X], data[SHAPE_Y], NULL);
    }
    return CLG_OK;
}
