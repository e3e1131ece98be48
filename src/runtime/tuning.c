#include "runtime/tuning.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "runtime/context.h"

static clg_tuning mode_of_environment(void)
{
    const char *text = getenv("CLGRAD_TUNE");
    if (text && strcmp(text, "1") == 0)
        return CLG_TUNING_MEASURE;
    if (text && (strcmp(text, "0") == 0 || strcmp(text, "off") == 0))
        return CLG_TUNING_OFF;
    return CLG_TUNING_STORED;
}

clg_status clg__tuning_init(struct clg__tuning *tuning, clg_tuning mode)
{
    if ((unsigned)mode > CLG_TUNING_MEASURE)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_context_create: tuning %d is unknown",
                         (int)mode);
    *tuning = (struct clg__tuning){mode == CLG_TUNING_AUTO ? mode_of_environment() : mode, false,
                                   false, false, NULL};
    return CLG_OK;
}

struct clg__tuning_store *clg__tuning_store(clg_context *ctx, bool write)
{
    struct clg__tuning *tuning = &ctx->tuning;
    if (!tuning->looked || (write && !tuning->writes)) {
        clg__tuning_close(tuning->store);
        tuning->store = clg__tuning_open(&ctx->info, write);
        tuning->looked = true;
        tuning->writes = write;
    }
    return tuning->store;
}

/* The store in its file, for calls whose purpose that is. */
static clg_status kept_store(const char *call, clg_context *ctx, struct clg__tuning_store **store)
{
    *store = NULL;
    if (!ctx)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: ctx is NULL", call);
    *store = clg__tuning_store(ctx, true);
    if (!*store || !clg__tuning_is_kept(*store))
        return clg__fail(CLG_IO_ERROR, "%s: no folder to write the tuning store to", call);
    return CLG_OK;
}

/* What reading and writing a file have in common. */
static clg_status with_file(const char *call, clg_context *ctx, const char *path, const char *mode,
                            clg_status (*work)(struct clg__tuning_store *, FILE *, long *),
                            int64_t *count)
{
    struct clg__tuning_store *store = NULL;
    long records = 0;
    if (!path)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: path is NULL", call);
    CLG__TRY(kept_store(call, ctx, &store));
    FILE *file = fopen(path, mode);
    if (!file)
        return clg__fail(CLG_IO_ERROR, "%s: %s: %s", call, path, strerror(errno));
    clg_status status = work(store, file, &records);
    if (status != CLG_OK)
        status = clg__fail_in(status, "%s: %s", call, path);
    if (fclose(file) != 0 && status == CLG_OK)
        status = clg__fail(CLG_IO_ERROR, "%s: %s: %s", call, path, strerror(errno));
    if (count)
        *count = records;
    return status;
}

clg_status clg_tuning_export(clg_context *ctx, const char *path, int64_t *count)
{
    return with_file("clg_tuning_export", ctx, path, "w", clg__tuning_write, count);
}

clg_status clg_tuning_import(clg_context *ctx, const char *path, int64_t *count)
{
    return with_file("clg_tuning_import", ctx, path, "r", clg__tuning_read, count);
}

clg_status clg_tuning_forget(clg_context *ctx, int64_t *count)
{
    struct clg__tuning_store *store = NULL;
    long records = 0;
    CLG__TRY(kept_store("clg_tuning_forget", ctx, &store));
    clg_status status = clg__tuning_forget(store, &records);
    if (count)
        *count = records;
    return status;
}
