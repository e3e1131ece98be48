#include "cli/draw.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Columns between two images, and the least width of an image with its caption. */
enum { GAP = 3, COLUMN = 16 };

static bool says_utf8(const char *locale)
{
    return strstr(locale, "UTF-8") || strstr(locale, "utf8") || strstr(locale, "UTF8") ||
           strstr(locale, "utf-8");
}

static bool can_colour(void)
{
    static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    const char *term = getenv("TERM");
    if (!isatty(STDOUT_FILENO) || !term || strcmp(term, "dumb") == 0 || getenv("NO_COLOR"))
        return false;
    for (int i = 0; i < 3; i++) {
        const char *value = getenv(variables[i]);
        if (value && *value)
            return says_utf8(value);
    }
    return false;
}

static void pad(int from, int to)
{
    printf("%*s", from < to ? to - from : 0, "");
}

/* The 24 greys of the 256 colours of terminals begin at 232. */
static int grey(const uint8_t *pixels, int y, int x, int height, int width)
{
    return y < height ? 232 + pixels[y * width + x] * 23 / 255 : 232;
}

/* Two rows of pixels: the upper one is the character's colour, the lower one its background. */
static void colour_line(const struct draw_item *item, int y, int height, int width)
{
    for (int x = 0; x < width; x++)
        printf("\033[38;5;%dm\033[48;5;%dm\xe2\x96\x80", grey(item->pixels, y, x, height, width),
               grey(item->pixels, y + 1, x, height, width));
    printf("\033[0m");
}

static void text_line(const struct draw_item *item, int y, int width)
{
    static const char levels[] = " .:-=+*#%@";
    for (int x = 0; x < width; x++) {
        char c = levels[item->pixels[y * width + x] * 9 / 255];
        printf("%c%c", c, c);
    }
}

void draw_row(const struct draw_item *items, int count, int height, int width)
{
    bool colour = can_colour();
    int drawn = colour ? width : 2 * width, column = drawn < COLUMN ? COLUMN : drawn;
    printf("\n");
    for (int y = 0; y < height; y += colour ? 2 : 1) {
        for (int i = 0; i < count; i++) {
            pad(0, GAP);
            if (colour)
                colour_line(&items[i], y, height, width);
            else
                text_line(&items[i], y, width);
            pad(drawn, column);
        }
        printf("\n");
    }
    for (int line = 0; line < 2; line++) {
        for (int i = 0; i < count; i++) {
            pad(0, GAP);
            pad(printf("%s", items[i].caption[line]), column);
        }
        printf("\n");
    }
}
