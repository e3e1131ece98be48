/*
 * How far a work-item gets in a loop: steps a generator of random numbers `steps` times, which no
 * compiler can leave out, and writes where it is then. The host counts the steps that lead there.
 * One work-item; no local memory.
 */
#include "common.clh"

__kernel void loop_count(OUT(uint, state), const uint start, const int steps)
{
    uint at = start;
    for (int i = 0; i < steps; i++)
        at = at * 1664525u + 1013904223u;
    AT(state)[0] = at;
}
