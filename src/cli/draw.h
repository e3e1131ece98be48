/* Grey images in the terminal, side by side. */
#ifndef CLG_CLI_DRAW_H
#define CLG_CLI_DRAW_H

#include <stdint.h>

enum { DRAW_CAPTION = 24 };

struct draw_item {
    const uint8_t *pixels; /* height x width; of several channels the first one is drawn */
    char caption[2][DRAW_CAPTION];
};

/*
 * Draws the images in one row with their captions below: two pixels to a character, in 24 levels
 * of grey, where the output is a terminal that shows colours and the locale is UTF-8; otherwise two
 * characters to a pixel, in plain ASCII.
 */
void draw_row(const struct draw_item *items, int count, int height, int width);

#endif
