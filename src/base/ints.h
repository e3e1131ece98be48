/* Arithmetic on sizes. */
#ifndef CLG_BASE_INTS_H
#define CLG_BASE_INTS_H

static inline int clg__divide_up(int value, int by)
{
    return (value + by - 1) / by;
}

static inline int clg__round_up(int value, int to)
{
    return clg__divide_up(value, to) * to;
}

static inline int clg__at_most(int value, int most)
{
    return value < most ? value : most;
}

static inline int clg__at_least(int value, int least)
{
    return value > least ? value : least;
}

/* At least 1, of zeros as well. */
static inline int clg__greatest_divisor(int a, int b)
{
    while (b) {
        int rest = a % b;
        a = b;
        b = rest;
    }
    return clg__at_least(a, 1);
}

#endif
