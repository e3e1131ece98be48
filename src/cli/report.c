#include "cli/report.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "cli/draw.h"

/* Images on one line, and of each kind at most. */
enum { IN_A_ROW = 5, MOST_DRAWN = 10 };

void report_accuracy(const struct predictions *predictions)
{
    printf("%lld of %lld test images right: accuracy %.2f%%\n", (long long)predictions->right,
           (long long)predictions->count, trainer_percent(predictions->right, predictions->count));
}

/* [classes][classes]: images of the row's class that got the column's answer; NULL: no memory. */
static int64_t *count_answers(const clg_image_set *set, const struct predictions *predictions,
                              int classes)
{
    int64_t *counts = calloc((size_t)classes * (size_t)classes, sizeof *counts);
    for (int64_t i = 0; counts && i < predictions->count; i++)
        if (predictions->label[i] < classes)
            counts[(int64_t)set->labels[i] * classes + predictions->label[i]]++;
    return counts;
}

clg_status report_classes(const clg_image_set *set, const struct predictions *predictions,
                          int classes)
{
    int64_t *counts = count_answers(set, predictions, classes);
    if (!counts)
        return clg__fail_alloc("the table of classes");
    printf("\nclass  images   right  accuracy  precision  most often taken for\n");
    for (int c = 0; c < classes; c++) {
        int64_t images = 0, answers = 0, right = counts[(int64_t)c * classes + c];
        int other = -1;
        for (int k = 0; k < classes; k++) {
            int64_t taken = counts[(int64_t)c * classes + k];
            images += taken;
            answers += counts[(int64_t)k * classes + c];
            if (k != c && taken > 0 && (other < 0 || taken > counts[(int64_t)c * classes + other]))
                other = k;
        }
        printf("%5d  %6lld  %6lld  %7.2f%%  %8.2f%%", c, (long long)images, (long long)right,
               trainer_percent(right, images), trainer_percent(right, answers));
        if (other >= 0)
            printf("  %d (%lld times)", other, (long long)counts[(int64_t)c * classes + other]);
        printf("\n");
    }
    free(counts);
    return CLG_OK;
}

clg_status report_confusion(const clg_image_set *set, const struct predictions *predictions,
                            int classes)
{
    int64_t *counts = count_answers(set, predictions, classes);
    if (!counts)
        return clg__fail_alloc("the confusion matrix");
    printf("\nconfusion matrix: rows are the digits, columns the answers\n     ");
    for (int k = 0; k < classes; k++)
        printf("%5d", k);
    printf("\n");
    for (int c = 0; c < classes; c++) {
        printf("%5d", c);
        for (int k = 0; k < classes; k++) {
            int64_t count = counts[(int64_t)c * classes + k];
            if (count)
                printf("%5lld", (long long)count);
            else
                printf("%5s", ".");
        }
        printf("\n");
    }
    free(counts);
    return CLG_OK;
}

/* Draws up to MOST_DRAWN images whose answer is right, or those whose answer is wrong. */
static void draw_some(const clg_image_set *set, const struct predictions *predictions, bool right)
{
    struct draw_item row[IN_A_ROW];
    int in_row = 0, drawn = 0;
    /* Right ones come from all over the set, so that they are of different classes. */
    int64_t step = right ? predictions->count / IN_A_ROW : 1;
    if (step < 1)
        step = 1;
    for (int64_t i = 0; i < predictions->count && drawn < (right ? IN_A_ROW : MOST_DRAWN);) {
        bool is_right = predictions->label[i] == set->labels[i];
        if (is_right != right) {
            i++;
            continue;
        }
        struct draw_item *item = &row[in_row++];
        item->pixels = set->pixels + i * set->channels * set->height * set->width;
        snprintf(item->caption[0], sizeof item->caption[0], "a %d, read as", set->labels[i]);
        snprintf(item->caption[1], sizeof item->caption[1], "%d (%.1f%%) %s", predictions->label[i],
                 100 * (double)predictions->probability[i], right ? "" : "wrong");
        drawn++;
        if (in_row == IN_A_ROW) {
            draw_row(row, in_row, set->height, set->width);
            in_row = 0;
        }
        i += step;
    }
    if (in_row > 0)
        draw_row(row, in_row, set->height, set->width);
}

void report_images(const clg_image_set *set, const struct predictions *predictions)
{
    int64_t wrong = predictions->count - predictions->right;
    printf("\nsome test images that were read right:\n");
    draw_some(set, predictions, true);
    if (wrong == 0)
        return;
    printf("\n%s wrong:\n",
           wrong > MOST_DRAWN ? "some of those that were read" : "those that were read");
    draw_some(set, predictions, false);
}
