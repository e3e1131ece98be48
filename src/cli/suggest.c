#include "cli/suggest.h"

#include <stdio.h>
#include <string.h>

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * Letters to insert, delete, replace or swap with their neighbour to get from one name to the other
 * (optimal string alignment: Damerau 1964, Levenshtein 1966). Names of SUGGEST_MAX_NAME letters or
 * more count as far.
 */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[SUGGEST_MAX_NAME + 1][SUGGEST_MAX_NAME + 1];
    if (a_length >= SUGGEST_MAX_NAME || b_length >= SUGGEST_MAX_NAME)
        return SUGGEST_MAX_NAME;
    for (size_t i = 0; i <= a_length; i++)
        rows[i][0] = i;
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++)
        for (size_t j = 1; j <= b_length; j++) {
            size_t best = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = least(best, least(rows[i - 1][j], rows[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = least(best, rows[i - 2][j - 2] + 1);
            rows[i][j] = best;
        }
    return rows[a_length][b_length];
}

void suggest_begin(struct suggestion *hint, const char *word)
{
    *hint = (struct suggestion){.word = word};
    /* A third of the letters may be wrong, and one always. */
    size_t third = strlen(word) / 3;
    hint->distance = (third ? third : 1) + 1;
}

void suggest_offer(struct suggestion *hint, const char *name, size_t length)
{
    size_t found = distance(hint->word, strlen(hint->word), name, length);
    if (found >= hint->distance || length >= sizeof hint->nearest)
        return;
    hint->distance = found;
    memcpy(hint->nearest, name, length);
    hint->nearest[length] = '\0';
}

void suggest_offer_list(struct suggestion *hint, const char *list, char separator)
{
    while (*list) {
        const char *end = strchr(list, separator);
        size_t length = end ? (size_t)(end - list) : strlen(list);
        suggest_offer(hint, list, length);
        list += length + (end != NULL);
    }
}

const char *suggest_text(struct suggestion *hint, const char *prefix)
{
    hint->text[0] = '\0';
    if (hint->nearest[0])
        snprintf(hint->text, sizeof hint->text, "; did you mean %.16s%s?", prefix, hint->nearest);
    return hint->text;
}
