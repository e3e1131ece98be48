/* clgrad info: the devices, their limits, the one that clgrad takes and why. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/options.h"

static const char *const type_names[] = {"other", "CPU", "accelerator", "GPU"};
static const char *const family_names[] = {"auto", "cpu", "gpu"};

/* What was found and what clgrad takes; status says whether it takes any. */
struct inventory {
    clg_device_info *devices;
    size_t count;
    clg_device_info chosen;
    clg_status status;
    const char *why;
};

static const char *reason(const char *selector)
{
    const char *environment = getenv("CLGRAD_DEVICE");
    if (selector)
        return "--device asks for it";
    if (environment && *environment)
        return "the environment variable CLGRAD_DEVICE asks for it";
    return "a GPU before an accelerator before a CPU, then the most compute units x vector width "
           "x clock";
}

static clg_status take_inventory(const char *selector, struct inventory *inventory)
{
    *inventory = (struct inventory){.why = reason(selector)};
    CLG__TRY(clg_device_list(NULL, 0, &inventory->count));
    inventory->devices = calloc(inventory->count, sizeof *inventory->devices);
    if (!inventory->devices)
        return clg__fail_alloc("the list of devices");
    size_t room = inventory->count;
    clg_status status = clg_device_list(inventory->devices, room, &inventory->count);
    if (inventory->count > room)
        inventory->count = room;
    if (status != CLG_OK) {
        free(inventory->devices);
        return status;
    }
    inventory->status = clg_device_find(selector, &inventory->chosen);
    return CLG_OK;
}

static bool is_chosen(const struct inventory *inventory, const clg_device_info *device)
{
    return inventory->status == CLG_OK && inventory->chosen.platform == device->platform &&
           inventory->chosen.device == device->device;
}

static const char *yes_no(bool value)
{
    return value ? "yes" : "no";
}

/* "23.4 GiB", "512 KiB" */
static const char *bytes_text(uint64_t bytes, char *text, size_t size)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        value /= 1024;
    snprintf(text, size, "%.4g %s", value, units[unit]);
    return text;
}

static void print_bytes(const char *label, uint64_t bytes)
{
    char text[32];
    printf("    %-21s%s\n", label, bytes_text(bytes, text, sizeof text));
}

static void print_device(const clg_device_info *device, bool chosen)
{
    printf("%s %d:%d  %s\n", chosen ? "*" : " ", device->platform, device->device, device->name);
    printf("    %-21s%s\n", "platform", device->platform_name);
    printf("    %-21s%s\n", "vendor", device->vendor);
    printf("    %-21s%s\n", "OpenCL", device->version);
    printf("    %-21s%s\n", "driver", device->driver);
    printf("    %-21s%s, kernels of the %s family\n", "type", type_names[device->type],
           family_names[device->family]);
    printf("    %-21s%u at %u MHz, native vectors of %u float\n", "compute units",
           (unsigned)device->compute_units, (unsigned)device->clock_mhz,
           (unsigned)device->vector_width_float);
    printf("    %-21sat most %zu work-items, %zu x %zu x %zu\n", "work-group",
           device->max_work_group_size, device->max_work_item_sizes[0],
           device->max_work_item_sizes[1], device->max_work_item_sizes[2]);
    print_bytes("global memory", device->global_memory);
    print_bytes("largest buffer", device->max_allocation);
    print_bytes("cache", device->global_cache);
    print_bytes("local memory", device->local_memory);
    printf("    %-21s%s\n", "local memory is",
           device->dedicated_local_memory ? "its own" : "emulated");
    printf("    %-21s%s\n", "host memory is", device->unified_memory ? "shared" : "apart");
    printf("    %-21smultiples of %u bytes\n", "sub-buffer offsets",
           (unsigned)device->buffer_alignment);
    printf("    %-21sfp16 %s, fp64 %s, subgroups %s, compiler %s\n", "features",
           yes_no(device->fp16), yes_no(device->fp64), yes_no(device->subgroups),
           yes_no(device->compiler_available));
}

static void print_text(const struct inventory *inventory)
{
    printf("clgrad %s, %zu OpenCL device%s\n\n", clg_version(), inventory->count,
           inventory->count == 1 ? "" : "s");
    for (size_t i = 0; i < inventory->count; i++) {
        print_device(&inventory->devices[i], is_chosen(inventory, &inventory->devices[i]));
        printf("\n");
    }
    if (inventory->status == CLG_OK)
        printf("* clgrad takes %d:%d, %s: %s.\n", inventory->chosen.platform,
               inventory->chosen.device, inventory->chosen.name, inventory->why);
}

static json_t *device_json(const clg_device_info *device, bool chosen)
{
    char index[32];
    snprintf(index, sizeof index, "%d:%d", device->platform, device->device);
    json_t *object =
        json_pack("{s:s, s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "index", index, "chosen",
                  (int)chosen, "name", device->name, "platform", device->platform_name, "vendor",
                  device->vendor, "version", device->version, "driver", device->driver, "type",
                  type_names[device->type], "family", family_names[device->family]);
    const struct {
        const char *key;
        uint64_t value;
    } numbers[] = {
        {"compute_units", device->compute_units},
        {"clock_mhz", device->clock_mhz},
        {"vector_width_float", device->vector_width_float},
        {"max_work_group_size", device->max_work_group_size},
        {"global_memory_bytes", device->global_memory},
        {"max_allocation_bytes", device->max_allocation},
        {"global_cache_bytes", device->global_cache},
        {"local_memory_bytes", device->local_memory},
        {"buffer_alignment_bytes", device->buffer_alignment},
    };
    const struct {
        const char *key;
        bool value;
    } flags[] = {
        {"dedicated_local_memory", device->dedicated_local_memory},
        {"unified_memory", device->unified_memory},
        {"compiler_available", device->compiler_available},
        {"fp16", device->fp16},
        {"fp64", device->fp64},
        {"subgroups", device->subgroups},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        json_object_set_new(object, numbers[i].key, json_integer((json_int_t)numbers[i].value));
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        json_object_set_new(object, flags[i].key, json_boolean(flags[i].value));
    json_t *sizes = json_array();
    for (int i = 0; i < 3; i++)
        json_array_append_new(sizes, json_integer((json_int_t)device->max_work_item_sizes[i]));
    json_object_set_new(object, "max_work_item_sizes", sizes);
    return object;
}

static void print_json(const struct inventory *inventory)
{
    json_t *devices = json_array();
    for (size_t i = 0; i < inventory->count; i++)
        json_array_append_new(devices, device_json(&inventory->devices[i],
                                                   is_chosen(inventory, &inventory->devices[i])));
    json_t *root = json_pack("{s:s, s:o}", "version", clg_version(), "devices", devices);
    json_dumpf(root, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(root);
}

int cmd_info(int argc, char **argv)
{
    const char *selector = NULL;
    bool json = false;
    const struct cli_option options[] = {
        CLI_OPTION_DEVICE(selector),
        {.name = "json", .type = CLI_FLAG, .value = &json, .help = "print one JSON object"},
        {.name = NULL},
    };
    const struct cli_syntax syntax = {
        "info", "info [--device DEVICE] [--json]",
        "Lists every OpenCL device with its limits, and marks the one that clgrad takes.", options,
        0};
    int arguments;
    int code = cli_options_parse(&syntax, argc, argv, &arguments);
    if (code != CLI_GO_ON)
        return code;
    struct inventory inventory;
    clg_status status = take_inventory(selector, &inventory);
    if (status != CLG_OK)
        return cli_fail("info", "clgrad %s: %s", clg_version(), clg_last_error());
    if (json)
        print_json(&inventory);
    else
        print_text(&inventory);
    free(inventory.devices);
    return inventory.status == CLG_OK ? CLI_OK : cli_fail_status("info", inventory.status);
}
