/* A context's tuning: its setting, and the store, opened when it is first needed. */
#ifndef CLG_RUNTIME_TUNING_H
#define CLG_RUNTIME_TUNING_H

#include "clgrad/tuning.h"
#include "runtime/tuning_store.h"

struct clg__tuning {
    clg_tuning mode;     /* not CLG_TUNING_AUTO */
    bool measuring;      /* a candidate is being measured: its own choices are not measured */
    bool looked, writes; /* the store was opened, and to write */
    struct clg__tuning_store *store;
};

/* Errors: CLG_INVALID_ARGUMENT. */
clg_status clg__tuning_init(struct clg__tuning *tuning, clg_tuning mode);

/* The context's store, to write or to read; NULL when there is none. */
struct clg__tuning_store *clg__tuning_store(clg_context *ctx, bool write);

#endif
