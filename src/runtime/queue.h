/* A second queue beside the context's own, for transfers that shall not stand in line. */
#ifndef CLG_RUNTIME_QUEUE_H
#define CLG_RUNTIME_QUEUE_H

#include "runtime/context.h"

/* An in-order queue of the context's device. */
clg_status clg__queue_create(clg_context *ctx, cl_command_queue *queue);
/* Waits for its commands. NULL is allowed. */
void clg__queue_destroy(cl_command_queue queue);

/* Sends the commands of a queue (NULL: the context's) to the device; must be done before another
 * queue waits for one of them. */
clg_status clg__queue_flush(clg_context *ctx, cl_command_queue queue);

/* An event for all that was enqueued on the context's queue so far. */
clg_status clg__queue_mark(clg_context *ctx, cl_event *event);

/* Makes later commands of the context's queue wait for the event. */
clg_status clg__queue_wait_for(clg_context *ctx, cl_event event);

/* Waits on the host for an event, then releases it and sets *event to NULL; NULL: nothing. */
clg_status clg__event_finish(cl_event *event);
/* The same without waiting. */
void clg__event_drop(cl_event *event);

#endif
