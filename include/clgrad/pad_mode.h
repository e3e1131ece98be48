/* What lies outside of a plane that is padded: for pad2d and conv2d. */
#ifndef CLGRAD_PAD_MODE_H
#define CLGRAD_PAD_MODE_H

#include "clgrad/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * X(NAME, name), for the row a b c:
 *   zeros      0 0 a b c 0 0
 *   constant   v v a b c v v   with a value v of the caller's
 *   reflect    c b a b c b a   mirrored, the edge not repeated; padding less than the size
 *   replicate  a a a b c c c   the nearest element
 *   circular   b c a b c a b   periodic; padding at most the size
 * The same as in torch.nn.functional.pad.
 */
#define CLG_PAD_MODE_LIST(X)                                                                       \
    X(ZEROS, zeros)                                                                                \
    X(CONSTANT, constant)                                                                          \
    X(REFLECT, reflect)                                                                            \
    X(REPLICATE, replicate)                                                                        \
    X(CIRCULAR, circular)

typedef enum clg_pad_mode {
#define CLG_PAD_MODE_ENUM(NAME, name) CLG_PAD_##NAME,
    CLG_PAD_MODE_LIST(CLG_PAD_MODE_ENUM)
#undef CLG_PAD_MODE_ENUM
        CLG_PAD_MODE_COUNT
} clg_pad_mode;

/* "zeros" and so on; "unknown" for a value that is none. */
CLG_API const char *clg_pad_mode_name(clg_pad_mode mode);
/* The mode of that name. Errors: CLG_INVALID_ARGUMENT (NULL, or no such name; the message lists
 * them). */
CLG_API CLG_WARN_UNUSED clg_status clg_pad_mode_from_name(const char *name, clg_pad_mode *mode);

#ifdef __cplusplus
}
#endif

#endif
