#include "clgrad/pad_mode.h"

#include <string.h>

#include "base/error.h"

static const char *const names[] = {
#define NAME(NAME, name) #name,
    CLG_PAD_MODE_LIST(NAME)
#undef NAME
};

const char *clg_pad_mode_name(clg_pad_mode mode)
{
    return (unsigned)mode < CLG_PAD_MODE_COUNT ? names[mode] : "unknown";
}

clg_status clg_pad_mode_from_name(const char *name, clg_pad_mode *mode)
{
    if (!name || !mode)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_pad_mode_from_name: name or mode is NULL");
    char known[128] = "";
    for (int i = 0; i < CLG_PAD_MODE_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *mode = (clg_pad_mode)i;
            return CLG_OK;
        }
        strcat(strcat(known, i ? ", " : ""), names[i]);
    }
    return clg__fail(CLG_INVALID_ARGUMENT, "no padding mode \"%s\"; there are: %s", name, known);
}
