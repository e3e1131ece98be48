#include "cli/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *grow(void *items, size_t count, size_t size)
{
    void *grown = realloc(items, (count + 1) * size);
    if (!grown) {
        fprintf(stderr, "clgrad verify: no host memory left for the table\n");
        exit(1);
    }
    return grown;
}

static struct tally_row *find_row(struct tally *tally, const char *what, const char *how)
{
    for (size_t i = 0; i < tally->num_rows; i++)
        if (strcmp(tally->rows[i].what, what) == 0 && strcmp(tally->rows[i].how, how) == 0)
            return &tally->rows[i];
    tally->rows = grow(tally->rows, tally->num_rows, sizeof *tally->rows);
    struct tally_row *row = &tally->rows[tally->num_rows++];
    *row = (struct tally_row){.cases = 0};
    snprintf(row->what, sizeof row->what, "%s", what);
    snprintf(row->how, sizeof row->how, "%s", how);
    return row;
}

void tally_count(struct tally *tally, const char *what, const char *how, enum tally_outcome outcome,
                 double error)
{
    struct tally_row *row = find_row(tally, what, how);
    row->cases++;
    row->passed += outcome == TALLY_PASSED;
    row->refused += outcome == TALLY_REFUSED;
    tally->failed += outcome == TALLY_FAILED;
    if (error > row->worst)
        row->worst = error;
}

void tally_reason(struct tally *tally, const char *text)
{
    size_t i = 0;
    while (i < tally->num_reasons && strcmp(tally->reasons[i].text, text) != 0)
        i++;
    if (i == tally->num_reasons) {
        char *copy = grow(NULL, strlen(text), 1);
        memcpy(copy, text, strlen(text) + 1);
        tally->reasons = grow(tally->reasons, i, sizeof *tally->reasons);
        tally->reasons[i] = (struct tally_reason){copy, 0};
        tally->num_reasons++;
    }
    tally->reasons[i].count++;
}

static int width_of(const char *text, int width)
{
    int length = (int)strlen(text);
    return length > width ? length : width;
}

void tally_print(const struct tally *tally, const char *what)
{
    int first = width_of(what, 0), second = width_of("algorithm", 0);
    for (size_t i = 0; i < tally->num_rows; i++) {
        first = width_of(tally->rows[i].what, first);
        second = width_of(tally->rows[i].how, second);
    }
    printf("%-*s  %-*s  %6s  %6s  %7s  %s\n", first, what, second, "algorithm", "cases", "passed",
           "refused", "worst relative error");
    for (size_t i = 0; i < tally->num_rows; i++) {
        const struct tally_row *row = &tally->rows[i];
        printf("%-*s  %-*s  %6ld  %6ld  %7ld  ", first, row->what, second, row->how, row->cases,
               row->passed, row->refused);
        if (row->refused == row->cases)
            printf("-\n");
        else
            printf("%.2g\n", row->worst);
    }
}

static int more_frequent(const void *left, const void *right)
{
    const struct tally_reason *a = left, *b = right;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return strcmp(a->text, b->text);
}

void tally_print_reasons(struct tally *tally, const char *title)
{
    if (tally->num_reasons == 0)
        return;
    qsort(tally->reasons, tally->num_reasons, sizeof *tally->reasons, more_frequent);
    printf("%s\n", title);
    for (size_t i = 0; i < tally->num_reasons; i++)
        printf("  %5ld  %s\n", tally->reasons[i].count, tally->reasons[i].text);
}

void tally_free(struct tally *tally)
{
    for (size_t i = 0; i < tally->num_reasons; i++)
        free(tally->reasons[i].text);
    free(tally->reasons);
    free(tally->rows);
    *tally = (struct tally){.failed = 0};
}
