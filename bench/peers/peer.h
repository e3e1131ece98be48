/* What the comparison needs of another library that convolves. */
#ifndef CLG_BENCH_PEER_H
#define CLG_BENCH_PEER_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Pairs are of rows and columns; dilation 1 is dense. */
struct peer_problem {
    int direction; /* 0 forward, 1 gradient of the input, 2 of filter and bias */
    int64_t n, groups, c, k;
    int64_t in[2], out[2], kernel[2], stride[2], dilation[2], pad_begin[2], pad_end[2];
};

/* The ways to ask a library for one problem. */
enum peer_form {
    PEER_PLAIN, /* tensors NCHW, filters KCRS */
    PEER_OWN,   /* tensors and filters as the library likes them */
    PEER_FREE,  /* the same, and the algorithm as well, where that makes it take another one */
    PEER_FORMS
};

struct peer_conv;

const char *peer_name(void);
/* Prepares with random data; NULL when the library does not do that, or not in this form. */
struct peer_conv *peer_make(const struct peer_problem *problem, enum peer_form form);
/* Runs and waits; whether that went well. */
bool peer_run(struct peer_conv *conv);
void peer_destroy(struct peer_conv *conv); /* NULL is allowed */
/* What the library calls the code that it runs. */
const char *peer_algorithm(const struct peer_conv *conv);

#ifdef __cplusplus
}
#endif

#endif
