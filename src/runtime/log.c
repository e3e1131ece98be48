#include "runtime/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 2048 };

static void to_standard_error(void *data, const char *topic, const char *line)
{
    (void)data;
    fprintf(stderr, "clgrad %s: %s\n", topic, line);
}

struct clg__log clg__log_init(const clg_context_desc *desc)
{
    if (desc->log)
        return (struct clg__log){desc->log, desc->log_data, NULL};
    const char *topics = getenv("CLGRAD_LOG");
    if (topics && *topics)
        return (struct clg__log){to_standard_error, NULL, topics};
    return (struct clg__log){NULL, NULL, NULL};
}

bool clg__log_wants(const struct clg__log *log, const char *topic)
{
    if (!log->function || !log->topics)
        return log->function != NULL;
    size_t length = strlen(topic);
    for (const char *at = log->topics; *at;) {
        size_t word = strcspn(at, ",");
        if (word == length && memcmp(at, topic, length) == 0)
            return true;
        at += word + (at[word] == ',');
    }
    return false;
}

void clg__log_line(const struct clg__log *log, const char *topic, const char *format, ...)
{
    char line[LINE_SIZE];
    if (!clg__log_wants(log, topic))
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (char *at = line; *at; at++) /* a compiler's message has several lines */
        if (*at == '\n')
            *at = ' ';
    log->function(log->data, topic, line);
}
