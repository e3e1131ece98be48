/* Results that show which of their elements were never written. */
#ifndef CLG_CLI_RESULT_H
#define CLG_CLI_RESULT_H

#include "clgrad/tensor.h"

/* Fills a tensor with a NaN that no arithmetic makes, so that an element which was left out is
 * told apart from one which is rightly NaN. Errors: OpenCL failures. */
clg_status result_poison(clg_tensor *tensor);

/*
 * The elements in logical (C) order, as floats; the caller frees them.
 * Errors: CLG_INTERNAL_ERROR when some still hold the poison: the message has the name, how many
 * and the first one's index. Then *data is NULL.
 */
clg_status result_read(const clg_tensor *tensor, const char *name, float **data);

/* Uploads floats in logical (C) order. Errors: CLG_OUT_OF_HOST_MEMORY, OpenCL failures. */
clg_status result_upload(clg_tensor *tensor, const float *data);

/* Where logical element `index` lies, for messages: "index 17 (0,0,3,2)". Returns text. */
const char *result_place(const clg_tensor_desc *desc, int64_t index, char *text, size_t size);

#endif
