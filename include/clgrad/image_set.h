/* Labelled images in host memory: MNIST-type IDX folders and the embedded digits. */
#ifndef CLGRAD_IMAGE_SET_H
#define CLGRAD_IMAGE_SET_H

#include "clgrad/status.h"

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* `count` images of one size, each with a label. */
typedef struct clg_image_set {
    int64_t count;   /* N, at least 1 */
    int channels;    /* C */
    int height;      /* H */
    int width;       /* W */
    int classes;     /* labels are 0 .. classes - 1 */
    uint8_t *pixels; /* N*C*H*W values 0..255, NCHW */
    int32_t *labels; /* N */
} clg_image_set;

/*
 * Loads one part of an MNIST-type data set (MNIST, Fashion-MNIST, KMNIST, EMNIST) from a folder.
 * `part` is how its file names begin: "train" or "t10k". The images are the first of these that
 * exists, each also with ".gz" added:
 *
 *     <part>-images-idx3-ubyte   <part>-images.idx3-ubyte   (N H W: one channel)
 *     <part>-images-idx4-ubyte   <part>-images.idx4-ubyte   (N C H W)
 *
 * and the labels the first of <part>-labels-idx1-ubyte, <part>-labels.idx1-ubyte. `classes` becomes
 * the largest label found plus 1. *set owns its arrays: clg_image_set_free. On failure it is all
 * zero.
 *
 * Errors: CLG_INVALID_ARGUMENT (NULL), CLG_IO_ERROR (a file is unreadable, or none exists: the
 * message says which names were tried), CLG_BAD_FORMAT (as clg_idx_read; wrong number of
 * dimensions; no images; counts of images and labels that differ), CLG_UNSUPPORTED (as
 * clg_idx_read), CLG_TOO_LARGE (an image side that is no int), CLG_OUT_OF_HOST_MEMORY.
 */
CLG_API clg_status clg_image_set_load_idx(const char *folder, const char *part,
                                          clg_image_set *set) CLG_WARN_UNUSED;

/*
 * The handwritten digits that the library carries: 1797 grey images, 1 x 8 x 8, of 10 classes.
 * Their 17 levels of grey, 0..16, are scaled to 0..255: (255 * level + 8) / 16. Data: E. Alpaydin
 * and C. Kaynak 1998, UCI "Optical Recognition of Handwritten Digits", test part, CC BY 4.0.
 *
 * The split is fixed and balanced: of each class, every fifth image (the 5th, 10th, ... in the
 * order of the data) is a test image, which makes 1442 for training and 355 for testing. Within a
 * set the data's order is kept. Both parts come from the same group of 13 writers, so the test part
 * does not measure how a model does on an unknown hand.
 *
 * The sets own their arrays: clg_image_set_free. On failure both are all zero.
 *
 * Errors: CLG_INVALID_ARGUMENT (NULL), CLG_OUT_OF_HOST_MEMORY, CLG_INTERNAL_ERROR (the embedded
 * bytes are damaged).
 */
CLG_API clg_status clg_image_set_load_digits(clg_image_set *train,
                                             clg_image_set *test) CLG_WARN_UNUSED;

/* Frees the arrays and zeroes *set. Accepts NULL. */
CLG_API void clg_image_set_free(clg_image_set *set);

#ifdef __cplusplus
}
#endif

#endif
