/* "did you mean": the known name that is nearest to a mistyped one. */
#ifndef CLG_CLI_SUGGEST_H
#define CLG_CLI_SUGGEST_H

#include <stddef.h>

enum { SUGGEST_MAX_NAME = 48 };

struct suggestion {
    const char *word;
    char nearest[SUGGEST_MAX_NAME]; /* "" while no name was near enough */
    size_t distance;
    char text[SUGGEST_MAX_NAME + 32];
};

/*
 *     struct suggestion hint;
 *     suggest_begin(&hint, "algos");
 *     suggest_offer(&hint, "algo", 4);          for each known name
 *     printf("no option --algos%s\n", suggest_text(&hint, "--"));
 */
void suggest_begin(struct suggestion *hint, const char *word);
void suggest_offer(struct suggestion *hint, const char *name, size_t length);
/* Offers each word of a list separated by `separator`. */
void suggest_offer_list(struct suggestion *hint, const char *list, char separator);
/* "; did you mean <prefix><name>?", or "" when nothing is near. Valid as long as *hint. */
const char *suggest_text(struct suggestion *hint, const char *prefix);

#endif
