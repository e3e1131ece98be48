/* A batch norm problem with its data on the host and on the device. */
#ifndef CLG_TESTING_BATCH_NORM_FIXTURE_H
#define CLG_TESTING_BATCH_NORM_FIXTURE_H

#include "support/norm_fixture.h"

struct batch_norm_problem {
    clg_tensor_desc x;
    float eps, momentum;
    bool affine, running;
    bool large; /* left out on slow devices */
};

extern const struct batch_norm_problem batch_norm_problems[];
extern const size_t batch_norm_num_problems;

struct batch_norm_fixture {
    struct norm_fixture norm;
    struct ref_batch_norm ref;
    double *running_mean, *running_var;
    clg_batch_norm *plan;
    clg_batch_norm_tensors tensors;
};

struct batch_norm_fixture batch_norm_set_up(const struct batch_norm_problem *problem,
                                            enum norm_data kind);
struct batch_norm_fixture batch_norm_set_up_fused(const struct batch_norm_problem *problem,
                                                  enum norm_data kind, clg_epilogue epilogue,
                                                  bool residual);
void batch_norm_tear_down(struct batch_norm_fixture *fixture);

/* The calls on the fixture's tensors, which must succeed. */
void batch_norm_forward(struct batch_norm_fixture *fixture);
void batch_norm_backward(struct batch_norm_fixture *fixture, const clg_norm_gradients *grads,
                         const clg_run *run);

/* Runs the check on every problem with each kind of data. */
void batch_norm_for_every_problem(enum norm_data first, enum norm_data last,
                                  void (*check)(const char *label,
                                                struct batch_norm_fixture *fixture));

/* Runs the check on a small problem in NCHW and in NHWC. */
void batch_norm_for_both_layouts(void (*check)(const char *label,
                                               struct batch_norm_fixture *fixture));

/* Evaluation, forward and backward, against the reference; nothing without running statistics. */
void batch_norm_check_evaluation(const char *label, struct batch_norm_fixture *fixture);

#endif
