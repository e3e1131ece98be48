/*
 * The ceilings that other kernels are compared with.
 * peak_fma: each work-item steps CHAINS independent chains of multiply-adds on vectors of LANES in
 * registers; as many chains as hide the latency of one, and few enough to stay in registers.
 * peak_copy: each work-item copies `count` vectors, the first at `own` times its index, the next
 * `stride` vectors on; `repeats` times, there and back again, so that small parts stay in a cache.
 * Assumes local size and number of vectors chosen by the host; no local memory. STREAM asks for
 * stores that go around the caches, where the compiler knows such.
 */
#include "common.clh"

#ifndef LANES
#define LANES 16
#endif
#ifndef CHAINS
#define CHAINS 12
#endif
#ifndef STREAM
#define STREAM 0
#endif

#define JOIN(a, b) a##b
#define VECTOR_OF(lanes) JOIN(float, lanes)
#define VECTOR VECTOR_OF(LANES)

#ifdef __has_builtin
#if STREAM && __has_builtin(__builtin_nontemporal_store)
#define STORE(value, pointer) __builtin_nontemporal_store(value, pointer)
#endif
#endif
#ifndef STORE
#define STORE(value, pointer) (*(pointer) = (value))
#endif

__kernel void peak_fma(OUT(float, y), const int steps, const float factor, const float term)
{
    VECTOR sums[CHAINS];
    __attribute__((opencl_unroll_hint(CHAINS))) for (int i = 0; i < CHAINS; i++)
        sums[i] = (VECTOR)((float)(i + 1));
    for (int step = 0; step < steps; step++) {
        __attribute__((opencl_unroll_hint(CHAINS))) for (int i = 0; i < CHAINS; i++)
            sums[i] = fma(sums[i], (VECTOR)(factor), (VECTOR)(term));
    }
    VECTOR total = sums[0];
    __attribute__((opencl_unroll_hint(CHAINS))) for (int i = 1; i < CHAINS; i++)
        total += sums[i];
    ((__global VECTOR *)AT(y))[get_global_id(0)] = total;
}

__kernel void peak_copy(OUT(float, y), OUT(float, x), const int count, const int own,
                        const int stride, const int repeats)
{
    const int first = (int)get_global_id(0) * own;
    __global VECTOR *to = (__global VECTOR *)AT(y);
    __global VECTOR *from = (__global VECTOR *)AT(x);
    for (int repeat = 0; repeat < repeats; repeat++) {
        for (int i = 0; i < count; i++)
            STORE(from[first + i * stride], &to[first + i * stride]);
        __global VECTOR *other = to;
        to = from;
        from = other;
    }
}
