#include "support/batch_norm_fixture.h"

struct batch_norm_fixture batch_norm_set_up(const struct batch_norm_problem *p, enum norm_data kind)
{
    struct batch_norm_fixture f;
    int64_t n = p->x.dims[0], c = p->x.dims[1];
    clg_tensor_desc channels = clg_desc_1d(c);
    clg_batch_norm_desc desc = {p->x, p->eps, p->momentum};
    f.norm = norm_fixture_create(&p->x, &channels, p->affine, kind);
    f.ref = (struct ref_batch_norm){
        n, c, f.norm.count / n / c, (double)p->eps, (double)p->momentum, f.norm.gamma, f.norm.beta};
    f.running_mean = testing_uniform(c, 5);
    f.running_var = testing_uniform(c, 6);
    for (int64_t i = 0; i < c; i++)
        f.running_var[i] = (double)(float)(f.running_var[i] + 1.5);
    OK(clg_batch_norm_create(testing_context(), &desc, &f.plan));
    f.tensors = (clg_batch_norm_tensors){
        f.norm.tgamma, f.norm.tbeta,
        p->running ? testing_tensor_from(&channels, f.running_mean) : NULL,
        p->running ? testing_tensor_from(&channels, f.running_var) : NULL, NULL};
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
