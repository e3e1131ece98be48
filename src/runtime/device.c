#include "runtime/device.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cl_error.h"

struct found {
    cl_device_id id;
    clg_device_info info;
};

struct found_list {
    struct found *items;
    size_t count;
};

/* The ICD loader's answer when it finds no driver at all; of cl_ext.h. */
enum { PLATFORM_NOT_FOUND = -1001 };

static clg_status fail_no_driver(unsigned platforms)
{
    return clg__fail(CLG_NO_DEVICE,
                     "no OpenCL device found (%u platforms): install an OpenCL driver, for example "
                     "Debian's pocl-opencl-icd (runs on the CPU) or the one of your GPU's vendor; "
                     "`clinfo` shows what is there",
                     platforms);
}

/* Scalars of a device by table: parameter, destination, size. */
#define SCALAR_QUERY(param, member)                                                                \
    {                                                                                              \
        param, &info->member, sizeof info->member                                                  \
    }

static void copy_bool(cl_device_id id, cl_device_info param, bool *out)
{
    cl_bool value = CL_FALSE;
    clGetDeviceInfo(id, param, sizeof value, &value, NULL);
    *out = value != CL_FALSE;
}

static void query_string(cl_device_id id, cl_device_info param, char *out, size_t size)
{
    char text[1024];
    if (clGetDeviceInfo(id, param, sizeof text, text, NULL) != CL_SUCCESS)
        text[0] = '\0';
    text[sizeof text - 1] = '\0';
    /* Some drivers pad their strings with blanks. */
    const char *start = text;
    while (*start == ' ')
        start++;
    snprintf(out, size, "%.*s", (int)size - 1, start);
    for (size_t end = strlen(out); end > 0 && out[end - 1] == ' '; end--)
        out[end - 1] = '\0';
}

static bool has_extension(const char *extensions, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = extensions; (at = strstr(at, name)) != NULL; at += length) {
        bool starts = at == extensions || at[-1] == ' ';
        if (starts && (at[length] == ' ' || at[length] == '\0'))
            return true;
    }
    return false;
}

static void query_extensions(cl_device_id id, clg_device_info *info)
{
    size_t size = 0;
    if (clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, 0, NULL, &size) != CL_SUCCESS || size == 0)
        return;
    char *text = calloc(size + 1, 1);
    if (!text)
        return;
    if (clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, size, text, NULL) == CL_SUCCESS) {
        info->fp16 = has_extension(text, "cl_khr_fp16");
        info->fp64 = has_extension(text, "cl_khr_fp64");
        info->subgroups = has_extension(text, "cl_khr_subgroups");
        info->nv_compiler_options = has_extension(text, "cl_nv_compiler_options");
    }
    free(text);
}

static clg_device_type type_of(cl_device_id id)
{
    cl_device_type type = 0;
    clGetDeviceInfo(id, CL_DEVICE_TYPE, sizeof type, &type, NULL);
    if (type & CL_DEVICE_TYPE_GPU)
        return CLG_DEVICE_GPU;
    if (type & CL_DEVICE_TYPE_ACCELERATOR)
        return CLG_DEVICE_ACCELERATOR;
    return type & CL_DEVICE_TYPE_CPU ? CLG_DEVICE_CPU : CLG_DEVICE_OTHER;
}

static clg_family family_of(const clg_device_info *info)
{
    const char *forced = getenv("CLGRAD_FAMILY");
    if (forced && strcmp(forced, "cpu") == 0)
        return CLG_FAMILY_CPU;
    if (forced && strcmp(forced, "gpu") == 0)
        return CLG_FAMILY_GPU;
    /* A compiler without vectors of its own fills a processor's with work-items: it takes the wide
     * ones of the kernels for CPU-like devices apart, for minutes, and runs them in one lane.
     * Mesa's llvmpipe is of that kind. */
    bool wide = info->vector_width_float > 1;
    bool cpu_like = info->type == CLG_DEVICE_CPU || !info->dedicated_local_memory;
    return cpu_like && wide ? CLG_FAMILY_CPU : CLG_FAMILY_GPU;
}

clg_status clg__device_query(cl_device_id id, clg_device_info *info)
{
    memset(info, 0, sizeof *info);
    info->platform = info->device = -1;
    cl_uint alignment_bits = 0;
    cl_device_local_mem_type local_type = 0;
    cl_platform_id platform = NULL;
    const struct {
        cl_device_info param;
        void *out;
        size_t size;
    } queries[] = {
        SCALAR_QUERY(CL_DEVICE_MAX_COMPUTE_UNITS, compute_units),
        SCALAR_QUERY(CL_DEVICE_MAX_CLOCK_FREQUENCY, clock_mhz),
        SCALAR_QUERY(CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, vector_width_float),
        SCALAR_QUERY(CL_DEVICE_MAX_WORK_GROUP_SIZE, max_work_group_size),
        SCALAR_QUERY(CL_DEVICE_MAX_WORK_ITEM_SIZES, max_work_item_sizes),
        SCALAR_QUERY(CL_DEVICE_GLOBAL_MEM_SIZE, global_memory),
        SCALAR_QUERY(CL_DEVICE_MAX_MEM_ALLOC_SIZE, max_allocation),
        SCALAR_QUERY(CL_DEVICE_LOCAL_MEM_SIZE, local_memory),
        SCALAR_QUERY(CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, global_cache),
        {CL_DEVICE_MEM_BASE_ADDR_ALIGN, &alignment_bits, sizeof alignment_bits},
        {CL_DEVICE_LOCAL_MEM_TYPE, &local_type, sizeof local_type},
        {CL_DEVICE_PLATFORM, &platform, sizeof platform},
    };
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        CLG__TRY_CL(clGetDeviceInfo(id, queries[i].param, queries[i].size, queries[i].out, NULL),
                    "clGetDeviceInfo");
    info->buffer_alignment = alignment_bits / 8;
    info->dedicated_local_memory = local_type == CL_LOCAL;
    info->type = type_of(id);
    copy_bool(id, CL_DEVICE_HOST_UNIFIED_MEMORY, &info->unified_memory);
    copy_bool(id, CL_DEVICE_COMPILER_AVAILABLE, &info->compiler_available);
    query_string(id, CL_DEVICE_NAME, info->name, sizeof info->name);
    query_string(id, CL_DEVICE_VENDOR, info->vendor, sizeof info->vendor);
    query_string(id, CL_DEVICE_VERSION, info->version, sizeof info->version);
    query_string(id, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
    clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof info->platform_name - 1,
                      info->platform_name, NULL);
    query_extensions(id, info);
    info->family = family_of(info);
    return CLG_OK;
}

/* A driver that cannot list or describe its devices does not hide those of the others. */
static clg_status append_devices(struct found_list *list, cl_platform_id platform, int index)
{
    cl_uint count = 0;
    cl_int code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 0, NULL, &count);
    if (code != CL_SUCCESS || count == 0)
        return CLG_OK;
    cl_device_id *ids = calloc(count, sizeof *ids);
    struct found *items = realloc(list->items, (list->count + count) * sizeof *items);
    if (items)
        list->items = items;
    if (!ids || !items) {
        free(ids);
        return clg__fail_alloc("the list of devices");
    }
    code = clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, count, ids, NULL);
    for (cl_uint i = 0; i < count && code == CL_SUCCESS; i++) {
        struct found *item = &list->items[list->count];
        item->id = ids[i];
        list->count += clg__device_query(ids[i], &item->info) == CLG_OK;
        item->info.platform = index;
        item->info.device = (int)i;
    }
    free(ids);
    return CLG_OK;
}

/* On failure the list is empty and nothing is left to free. */
static clg_status find_all(struct found_list *list)
{
    *list = (struct found_list){NULL, 0};
    cl_uint count = 0;
    cl_int code = clGetPlatformIDs(0, NULL, &count);
    if (code == PLATFORM_NOT_FOUND || (code == CL_SUCCESS && count == 0))
        return fail_no_driver(0);
    CLG__TRY_CL(code, "clGetPlatformIDs");
    cl_platform_id *platforms = calloc(count, sizeof *platforms);
    if (!platforms)
        return clg__fail_alloc("the list of platforms");
    clg_status status = CLG_OK;
    code = clGetPlatformIDs(count, platforms, NULL);
    if (code != CL_SUCCESS)
        status = clg__fail_cl(code, "clGetPlatformIDs");
    for (cl_uint i = 0; i < count && status == CLG_OK; i++)
        status = append_devices(list, platforms[i], (int)i);
    free(platforms);
    if (status == CLG_OK && list->count == 0)
        status = fail_no_driver(count);
    if (status != CLG_OK) {
        free(list->items);
        *list = (struct found_list){NULL, 0};
    }
    return status;
}

clg_status clg_device_list(clg_device_info *infos, size_t capacity, size_t *count)
{
    if (!count || (!infos && capacity > 0))
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_device_list: count or infos is NULL");
    *count = 0;
    struct found_list list;
    CLG__TRY(find_all(&list));
    for (size_t i = 0; i < list.count && i < capacity; i++)
        infos[i] = list.items[i].info;
    *count = list.count;
    free(list.items);
    return CLG_OK;
}

static bool contains_ignoring_case(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (; *text; text++) {
        size_t i = 0;
        while (i < length && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
            i++;
        if (i == length)
            return true;
    }
    return false;
}

static bool matches(const clg_device_info *info, const char *selector)
{
    int platform = -1, device = -1, length = 0;
    if (sscanf(selector, "%d:%d%n", &platform, &device, &length) == 2 && selector[length] == '\0')
        return info->platform == platform && info->device == device;
    return contains_ignoring_case(info->name, selector) ||
           contains_ignoring_case(info->platform_name, selector);
}

static double rank(const clg_device_info *info)
{
    double width = info->vector_width_float ? info->vector_width_float : 1;
    double clock = info->clock_mhz ? info->clock_mhz : 1;
    /* The type decides; 1e12 is beyond any count of units x width x MHz. */
    return (double)info->type * 1e12 + (double)info->compute_units * width * clock;
}

static clg_status fail_no_match(const struct found_list *list, const char *selector)
{
    char names[2048] = "";
    size_t used = 0;
    for (size_t i = 0; i < list->count && used < sizeof names - 1; i++) {
        const clg_device_info *info = &list->items[i].info;
        int n = snprintf(names + used, sizeof names - used, "%s%d:%d %s", i ? ", " : "",
                         info->platform, info->device, info->name);
        used += n > 0 ? (size_t)n : 0;
    }
    return clg__fail(CLG_NO_DEVICE, "no device with a compiler matches \"%s\"; there are: %s",
                     selector, names);
}

clg_status clg__device_find(const char *selector, cl_device_id *id, clg_device_info *info)
{
    if (!selector || !*selector)
        selector = getenv("CLGRAD_DEVICE");
    bool any = !selector || !*selector;
    struct found_list list;
    CLG__TRY(find_all(&list));
    const struct found *best = NULL;
    for (size_t i = 0; i < list.count; i++) {
        const struct found *item = &list.items[i];
        if (!item->info.compiler_available || (!any && !matches(&item->info, selector)))
            continue;
        if (!best || rank(&item->info) > rank(&best->info))
            best = item;
    }
    clg_status status = CLG_OK;
    if (best) {
        *id = best->id;
        *info = best->info;
    } else {
        status = fail_no_match(&list, any ? "" : selector);
    }
    free(list.items);
    return status;
}

clg_status clg_device_find(const char *selector, clg_device_info *info)
{
    if (!info)
        return clg__fail(CLG_INVALID_ARGUMENT, "clg_device_find: info is NULL");
    cl_device_id id;
    return clg__device_find(selector, &id, info);
}
