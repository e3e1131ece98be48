/* Batches of an image set on the device, the next one uploaded while this one trains. */
#ifndef CLGRAD_BATCHES_H
#define CLGRAD_BATCHES_H

#include "clgrad/image_set.h"
#include "clgrad/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct clg_batches clg_batches;

typedef struct clg_batches_desc {
    const clg_image_set *set; /* kept by pointer: must live as long as the batches */
    int64_t batch;            /* images in one; the last of an epoch may be smaller */
    /* A new order in each epoch, a function of seed and epoch. */
    bool shuffle;
    uint64_t seed;
    /* Moves each image by up to this many pixels in both directions; what comes in is 0. */
    int max_shift;
    /* [C], copied: x = (pixel / 255 - mean) / std. NULL: 0 and 1. */
    const float *mean, *std;
} clg_batches_desc;

/* Errors: CLG_INVALID_ARGUMENT (NULL, a batch below 1, a negative shift or one that is not smaller
 * than the image, mean not finite, std not above 0), those of clg_tensor_create, OpenCL failures,
 * CLG_OUT_OF_HOST_MEMORY. *batches is NULL after a failure. */
CLG_API CLG_WARN_UNUSED clg_status clg_batches_create(clg_context *ctx,
                                                      const clg_batches_desc *desc,
                                                      clg_batches **batches);
/* Waits for its uploads. NULL is allowed. */
CLG_API void clg_batches_destroy(clg_batches *batches);

/* Batches in an epoch. */
CLG_API int64_t clg_batches_count(const clg_batches *batches);

/* Begins an epoch at its first batch. */
CLG_API void clg_batches_begin(clg_batches *batches, uint64_t epoch);

typedef struct clg_batch {
    int64_t count;            /* images; 0: the epoch is over */
    const clg_tensor *x;      /* [count, C, H, W] float32 NCHW */
    const clg_tensor *labels; /* [count] int32 */
    const int64_t *indices;   /* [count], of the images in the set */
} clg_batch;

/*
 * The next batch of the epoch. Its tensors are ready for commands that are enqueued on the
 * context's queue from now on, and stay as they are for those that are enqueued before the next
 * call of this function. The call prepares the images on the host and uploads them on a queue of
 * its own, beside what the context's queue is doing; it waits only for the upload of two batches
 * before, whose host memory it uses again.
 * Errors: CLG_INVALID_ARGUMENT (NULL), OpenCL failures.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_batches_next(clg_batches *batches, clg_batch *batch);

/* Mean and standard deviation of pixel / 255 for each channel of a set: [C] each; a channel of one
 * value only has standard deviation 1. Errors: CLG_INVALID_ARGUMENT (NULL). */
CLG_API CLG_WARN_UNUSED clg_status clg_image_set_statistics(const clg_image_set *set, float *mean,
                                                            float *std);

#ifdef __cplusplus
}
#endif

#endif
