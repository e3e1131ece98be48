/* A folder for the files of one test, below $TMPDIR or /tmp. Failures fail the running test. */
#ifndef CLG_TESTS_SCRATCH_H
#define CLG_TESTS_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

/* CMocka setup and teardown: make the folder, and remove it with everything in it. */
int scratch_make(void **state);
int scratch_remove(void **state);

/* The path of a file in the folder. Valid until the eighth call from now. */
const char *scratch_path(const char *name);

/* Writes a file into the folder, plain or compressed with gzip; returns its path, as above. */
const char *scratch_write(const char *name, const void *bytes, size_t size);
const char *scratch_write_gzip(const char *name, const void *bytes, size_t size);

/* Reads a file of the folder: *size bytes, for free(). */
unsigned char *scratch_read(const char *name, size_t *size);

/* Number of entries in the folder. */
int scratch_entries(void);

/* Whether clg_last_error() contains the text; prints the message when not. */
bool last_error_says(const char *text);

#endif
