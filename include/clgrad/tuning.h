/* Tuning: choosing algorithms by measured times, which are kept in a store. */
#ifndef CLGRAD_TUNING_H
#define CLGRAD_TUNING_H

#include "clgrad/context.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Where an operation has several algorithms and the caller names none, clgrad chooses by times in
 * the tuning store, and by an estimate where the store has none. Times get there when a plan is
 * made
 *   - in a context with CLG_TUNING_MEASURE, or with CLG_TUNING_AUTO and CLGRAD_TUNE=1 in the
 *     environment,
 *   - or with `tune` in its description (clg_conv2d_desc),
 *   - or by the command `clgrad tune`.
 * Then every algorithm that takes the problem, in each layout that it can be given, is compiled and
 * run some times on memory of its own, layout changes included; the median is kept. This takes
 * from milliseconds to seconds for each new problem, needs memory for operands and workspace, and
 * blocks until the context's queue has finished. Later plans for the same problem on the same
 * device, driver and version of clgrad find the times, in this process and in later ones.
 *
 * Every choice is deterministic given the store: but before and after tuning different algorithms
 * may be chosen, whose results differ by rounding. CLGRAD_TUNE=0 or CLG_TUNING_OFF leaves the store
 * aside.
 *
 * A candidate is noted in the store before it is measured. One that fails is remembered with its
 * message, and one that takes the process down with it is found by the next process: both are not
 * chosen any more, until clg_tuning_forget.
 *
 * The store is the file tuning.sqlite in CLGRAD_TUNE_DIR, else where programs are cached:
 * CLGRAD_CACHE_DIR, $XDG_CACHE_HOME/clgrad or ~/.cache/clgrad. Several processes may use it at
 * once. CLGRAD_TUNE_MB bounds it, 8 MiB without; the oldest times go first. A folder that cannot be
 * written makes nothing fail: times are then kept for as long as the context.
 */

/*
 * Writes all times of the store, those of other devices too, to a text file: a line each, sorted.
 * *count (may be NULL): how many. Errors: CLG_INVALID_ARGUMENT (NULL), CLG_IO_ERROR.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_tuning_export(clg_context *ctx, const char *path,
                                                     int64_t *count);

/*
 * Takes such a file into the store; of two records about the same candidate the newer one counts.
 * Nothing changes when a line is not understood. *count (may be NULL): how many were new or newer.
 * Errors: CLG_INVALID_ARGUMENT (NULL), CLG_BAD_FORMAT, CLG_IO_ERROR.
 */
CLG_API CLG_WARN_UNUSED clg_status clg_tuning_import(clg_context *ctx, const char *path,
                                                     int64_t *count);

/* Forgets all that is known of the context's device, under any driver and version, failures and
 * crashes included. *count (may be NULL): how many records. Errors: CLG_INVALID_ARGUMENT (NULL),
 * CLG_IO_ERROR. */
CLG_API CLG_WARN_UNUSED clg_status clg_tuning_forget(clg_context *ctx, int64_t *count);

#ifdef __cplusplus
}
#endif

#endif
