/*
 * How long the candidates of each problem took: one SQLite file that several processes share. A
 * record is about one candidate (an algorithm, and the layout that it is given) for one problem on
 * one device with one driver and one version of clgrad. Never a reason to fail.
 */
#ifndef CLG_RUNTIME_TUNING_STORE_H
#define CLG_RUNTIME_TUNING_STORE_H

#include <stdbool.h>
#include <stdio.h>

#include "clgrad/device.h"
#include "clgrad/status.h"

/* What is known of a candidate. CLG__TUNING_RUNNING: a living process measures it now. */
#define CLG__TUNING_STATES(X)                                                                      \
    X(UNKNOWN, unknown)                                                                            \
    X(TIMED, timed)                                                                                \
    X(RUNNING, running)                                                                            \
    X(FAILED, failed)                                                                              \
    X(CRASHED, crashed)

enum clg__tuning_state {
#define CLG__TUNING_STATE(NAME, name) CLG__TUNING_##NAME,
    CLG__TUNING_STATES(CLG__TUNING_STATE)
#undef CLG__TUNING_STATE
};

enum { CLG__TUNING_NAME = 64, CLG__TUNING_MESSAGE = 200 };

struct clg__tuning_record {
    char candidate[CLG__TUNING_NAME];
    enum clg__tuning_state state;
    double seconds;                    /* TIMED */
    char message[CLG__TUNING_MESSAGE]; /* FAILED: why */
};

struct clg__tuning_store;

/*
 * Opens tuning.sqlite in CLGRAD_TUNE_DIR, else where the program cache lies (disk_cache.h).
 * CLGRAD_TUNE_MB bounds the file, 8 MiB without it; the oldest records go first.
 * To read: NULL when there is no file. To write: makes folder and file; where that is not possible
 * the store is in memory and lasts as long as this object. NULL also without host memory.
 */
struct clg__tuning_store *clg__tuning_open(const clg_device_info *info, bool write);
void clg__tuning_close(struct clg__tuning_store *store); /* NULL is allowed */
/* Whether it is in a file. */
bool clg__tuning_is_kept(const struct clg__tuning_store *store);

/* The records of a problem, `capacity` of them at most; returns how many. A record whose process
 * died while it was measuring is given, and from now on kept, as CRASHED. */
size_t clg__tuning_find(struct clg__tuning_store *store, const char *problem,
                        struct clg__tuning_record *records, size_t capacity);

/*
 * Notes that this process is about to measure a candidate. Between this and clg__tuning_finish the
 * process may die: then the candidate is known to crash. The state is that before the call:
 * CLG__TUNING_UNKNOWN means that the claim is made, anything else that there is a record already.
 * Also CLG__TUNING_FAILED when nothing can be written.
 */
enum clg__tuning_state clg__tuning_claim(struct clg__tuning_store *store, const char *problem,
                                         const char *candidate);

/* Ends a claim: keeps the record, or with CLG__TUNING_UNKNOWN as its state drops it. */
void clg__tuning_finish(struct clg__tuning_store *store, const char *problem,
                        const struct clg__tuning_record *record);

/* Drops all records of the device, under any driver and version; *count says how many.
 * Errors: CLG_IO_ERROR. */
clg_status clg__tuning_forget(struct clg__tuning_store *store, long *count);

/*
 * All records as text, of every device: "# clgrad tuning 1", then one line a record, sorted, its
 * fields apart by tabs: device, problem, candidate, state, seconds, when (milliseconds since 1970),
 * message. Lines may be taken out, and files put together. Errors: CLG_IO_ERROR.
 */
clg_status clg__tuning_write(struct clg__tuning_store *store, FILE *file, long *count);

/* Takes records in; of two about the same the newer one counts. Nothing is taken from a file with a
 * line that is not understood. *count: how many were new or newer. Errors: CLG_BAD_FORMAT (the
 * message has the line's number), CLG_IO_ERROR. */
clg_status clg__tuning_read(struct clg__tuning_store *store, FILE *file, long *count);

#endif
