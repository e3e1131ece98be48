/* What the safetensors reader and writer share. */
#ifndef CLG_IO_SAFETENSORS_H
#define CLG_IO_SAFETENSORS_H

#include "clgrad/safetensors.h"

#define CLG__SAFETENSORS_METADATA "__metadata__"

enum {
    CLG__SAFETENSORS_PREFIX = 8,             /* bytes of the header's length */
    CLG__SAFETENSORS_MAX_HEADER = 100000000, /* bytes; the format's own limit */
    CLG__SAFETENSORS_TYPES = 0
#define CLG__SAFETENSORS_ONE(name, size) +1
    CLG_SAFETENSORS_TYPE_LIST(CLG__SAFETENSORS_ONE)
#undef CLG__SAFETENSORS_ONE
};

#endif
