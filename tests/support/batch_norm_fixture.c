#include "support/batch_norm_fixture.h"

#include <stdio.h>

const struct batch_norm_problem batch_norm_problems[] = {
    {{CLG_FLOAT32, CLG_NCHW, 4, {3, 5, 7, 9}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {3, 5, 7, 9}}, 1e-3f, 0.3f, true, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {1, 3, 4, 4}}, 1e-5f, 1.0f, false, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {1, 3, 4, 4}}, 1e-5f, 0.1f, false, false, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {33, 2, 1, 1}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {33, 20, 1, 1}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {5, 1, 6, 11}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {5, 1, 6, 11}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {2, 70, 3, 5}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {2, 70, 3, 5}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {4, 10, 5, 3}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {4, 96, 5, 3}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {2, 48, 5, 3}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {3, 41, 5, 2}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {2, 523, 3, 2}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {3, 16, 9, 7}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {3, 65, 9, 7}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 2, {40, 65}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 2, {7, 1}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 3, {4, 6, 19}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 5, {2, 3, 2, 5, 4}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NCHW, 4, {4, 3, 57, 57}}, 1e-5f, 0.1f, true, true, true},
    {{CLG_FLOAT32, CLG_NHWC, 4, {4, 3, 57, 57}}, 1e-5f, 0.1f, true, true, true},
    {{CLG_FLOAT32, CLG_NCHW, 4, {64, 17, 7, 7}}, 1e-5f, 0.1f, true, true, true},
    {{CLG_FLOAT32, CLG_NHWC, 4, {64, 17, 7, 7}}, 1e-5f, 0.1f, true, true, true},
    {{CLG_FLOAT32, CLG_NCHW, 4, {1, 1, 300, 301}}, 1e-5f, 0.1f, true, true, true},
    {{CLG_FLOAT32, CLG_NHWC, 4, {2, 130, 57, 57}}, 1e-5f, 0.1f, true, true, true},
};

const size_t batch_norm_num_problems = sizeof batch_norm_problems / sizeof batch_norm_problems[0];

struct batch_norm_fixture batch_norm_set_up(const struct batch_norm_problem *p, enum norm_data kind)
{
    return batch_norm_set_up_fused(p, kind, CLG_EPILOGUE_NONE, false);
}

struct batch_norm_fixture batch_norm_set_up_fused(const struct batch_norm_problem *p,
                                                  enum norm_data kind, clg_epilogue epilogue,
                                                  bool residual)
{
    struct batch_norm_fixture f;
    int64_t n = p->x.dims[0], c = p->x.dims[1];
    clg_tensor_desc channels = clg_desc_1d(c);
    clg_batch_norm_desc desc = {p->x, p->eps, p->momentum, epilogue, residual};
    f.norm = norm_fixture_create(&p->x, &channels, p->affine, kind);
    f.ref = (struct ref_batch_norm){
        n, c, f.norm.count / n / c, (double)p->eps, (double)p->momentum, f.norm.gamma, f.norm.beta};
    f.running_mean = testing_uniform(c, 5);
    f.running_var = testing_uniform(c, 6);
    for (int64_t i = 0; i < c; i++)
        f.running_var[i] = (double)(float)(f.running_var[i] + 1.5);
    OK(clg_batch_norm_create(testing_context(), &desc, &f.plan));
    f.tensors = (clg_batch_norm_tensors){
        .gamma = f.norm.tgamma,
        .beta = f.norm.tbeta,
        .running_mean = p->running ? testing_tensor_from(&channels, f.running_mean) : NULL,
        .running_var = p->running ? testing_tensor_from(&channels, f.running_var) : NULL};
    return f;
}

void batch_norm_tear_down(struct batch_norm_fixture *f)
{
    clg_tensor_destroy(f->tensors.running_mean);
    clg_tensor_destroy(f->tensors.running_var);
    free(f->running_mean);
    free(f->running_var);
    norm_fixture_destroy(&f->norm);
    clg_batch_norm_destroy(f->plan);
}

void batch_norm_forward(struct batch_norm_fixture *f)
{
    OK(clg_batch_norm_forward_train(f->plan, f->norm.y, f->norm.tx, &f->tensors, NULL));
}

void batch_norm_backward(struct batch_norm_fixture *f, const clg_norm_gradients *grads,
                         const clg_run *run)
{
    OK(clg_batch_norm_backward(f->plan, grads, f->norm.tdy, f->norm.tx, &f->tensors, run));
}

void batch_norm_for_every_problem(enum norm_data first, enum norm_data last,
                                  void (*check)(const char *label, struct batch_norm_fixture *f))
{
    for (size_t i = 0; i < batch_norm_num_problems; i++)
        for (int kind = (int)first; kind <= (int)last; kind++) {
            if ((batch_norm_problems[i].large && testing_small()) ||
                (kind > (int)first && testing_interpreted()))
                continue;
            struct batch_norm_fixture f =
                batch_norm_set_up(&batch_norm_problems[i], (enum norm_data)kind);
            char label[64];
            snprintf(label, sizeof label, "problem %d, %s", (int)i,
                     norm_data_name((enum norm_data)kind));
            check(label, &f);
            batch_norm_tear_down(&f);
        }
}

static const struct batch_norm_problem both_layouts[] = {
    {{CLG_FLOAT32, CLG_NCHW, 4, {3, 20, 4, 5}}, 1e-5f, 0.1f, true, true, false},
    {{CLG_FLOAT32, CLG_NHWC, 4, {3, 20, 4, 5}}, 1e-5f, 0.1f, true, true, false},
};

void batch_norm_for_both_layouts(void (*check)(const char *label, struct batch_norm_fixture *f))
{
    for (int i = 0; i < 2; i++) {
        struct batch_norm_fixture f = batch_norm_set_up(&both_layouts[i], NORM_DATA_UNIFORM);
        check(i == 0 ? "NCHW" : "NHWC", &f);
        batch_norm_tear_down(&f);
    }
}

void batch_norm_check_evaluation(const char *label, struct batch_norm_fixture *f)
{
    if (!f->tensors.running_mean)
        return;
    struct norm_fixture *n = &f->norm;
    OK(clg_batch_norm_forward_eval(f->plan, n->y, n->tx, &f->tensors, NULL));
    OK(clg_batch_norm_backward_eval(f->plan, &n->grads, n->tdy, n->tx, &f->tensors, NULL));
    ref_batch_norm_apply(&f->ref, n->x, f->running_mean, f->running_var, n->want_y);
    ref_batch_norm_eval_backward(&f->ref, n->x, f->running_mean, f->running_var, n->dy, &n->want);
    norm_expect_y(label, n);
    norm_expect_gradients(label, n);
    norm_expect(label, "running_mean, unchanged,", f->tensors.running_mean, f->running_mean);
    norm_expect(label, "running_var, unchanged,", f->tensors.running_var, f->running_var);
}
