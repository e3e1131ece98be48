#include "runtime/program_cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cl_error.h"
#include "runtime/disk_cache.h"
#include "runtime/kernel_sources.h"

struct clg__program {
    struct clg__program *next;
    const char *source;
    char *options;
    cl_program program;
};

clg_status clg__program_cache_init(struct clg__program_cache *cache, cl_context cl,
                                   cl_device_id device, const clg_device_info *info)
{
    cache->cl = cl;
    cache->device = device;
    cache->info = info;
    cache->programs = NULL;
    cache->disk = clg__disk_cache_open(info);
    return CLG_OK;
}

void clg__program_cache_destroy(struct clg__program_cache *cache)
{
    while (cache->programs) {
        struct clg__program *program = cache->programs;
        cache->programs = program->next;
        clReleaseProgram(program->program);
        free(program->options);
        free(program);
    }
    clg__disk_cache_close(cache->disk);
    cache->disk = NULL;
}

static clg_status fail_build(const struct clg__program_cache *cache, cl_program program,
                             const char *source, const char *options, cl_int code)
{
    size_t size = 0;
    char *log = NULL;
    clGetProgramBuildInfo(program, cache->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    if (size > 0 && (log = calloc(size + 1, 1)) != NULL)
        clGetProgramBuildInfo(program, cache->device, CL_PROGRAM_BUILD_LOG, size, log, NULL);
    const char *text = log ? log : "";
    size_t length = strlen(text);
    enum { SHOWN = 2000 };
    clg_status status = clg__fail(CLG_BUILD_FAILED, "%s.cl with \"%s\" on %s: %s (%d)\n%s", source,
                                  options, cache->info->name, clg__cl_error_name(code), code,
                                  length > SHOWN ? text + length - SHOWN : text);
    free(log);
    return status;
}

static clg_status from_source(struct clg__program_cache *cache,
                              const struct clg__kernel_source *source, const char *options,
                              cl_program *out)
{
    cl_int code;
    const char *text = source->text;
    size_t size = source->size;
    cl_program program = clCreateProgramWithSource(cache->cl, 1, &text, &size, &code);
    CLG__TRY_CL(code, "clCreateProgramWithSource");
    code = clBuildProgram(program, 1, &cache->device, options, NULL, NULL);
    if (code != CL_SUCCESS) {
        clg_status status = fail_build(cache, program, source->name, options, code);
        clReleaseProgram(program);
        return status;
    }
    *out = program;
    return CLG_OK;
}

/* NULL when the disk has no binary that this driver accepts. */
static cl_program from_disk(struct clg__program_cache *cache, const char *text, const char *options)
{
    size_t bytes = 0;
    unsigned char *binary =
        cache->disk ? clg__disk_cache_load(cache->disk, text, options, &bytes) : NULL;
    if (!binary)
        return NULL;
    cl_int code, accepted = CL_SUCCESS;
    const unsigned char *start = binary;
    cl_program program =
        clCreateProgramWithBinary(cache->cl, 1, &cache->device, &bytes, &start, &accepted, &code);
    if (code == CL_SUCCESS && accepted == CL_SUCCESS)
        code = clBuildProgram(program, 1, &cache->device, options, NULL, NULL);
    if (program && (code != CL_SUCCESS || accepted != CL_SUCCESS)) {
        clReleaseProgram(program);
        program = NULL;
    }
    free(binary);
    return program;
}

static void to_disk(struct clg__program_cache *cache, const char *text, const char *options,
                    cl_program program)
{
    size_t bytes = 0;
    if (!cache->disk ||
        clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof bytes, &bytes, NULL) !=
            CL_SUCCESS ||
        bytes == 0)
        return;
    unsigned char *binary = malloc(bytes);
    if (binary &&
        clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) == CL_SUCCESS)
        clg__disk_cache_store(cache->disk, text, options, binary, bytes);
    free(binary);
}

static const struct clg__kernel_source *find_source(const char *name)
{
    for (const struct clg__kernel_source *at = clg__kernel_sources; at->name; at++)
        if (strcmp(at->name, name) == 0)
            return at;
    return NULL;
}

static clg_status build(struct clg__program_cache *cache, const struct clg__kernel_source *source,
                        const char *options, cl_program *program)
{
    size_t size = strlen(options) + 32;
    char *all = malloc(size);
    if (!all)
        return clg__fail_alloc("build options");
    snprintf(all, size, "-cl-std=CL1.2%s%s", *options ? " " : "", options);
    clg_status status = CLG_OK;
    *program = from_disk(cache, source->text, all);
    if (!*program) {
        status = from_source(cache, source, all, program);
        if (status == CLG_OK)
            to_disk(cache, source->text, all, *program);
    }
    free(all);
    return status;
}

clg_status clg__program_get(struct clg__program_cache *cache, const char *source,
                            const char *options, cl_program *program)
{
    for (struct clg__program *at = cache->programs; at; at = at->next)
        if (strcmp(at->source, source) == 0 && strcmp(at->options, options) == 0) {
            *program = at->program;
            return CLG_OK;
        }
    const struct clg__kernel_source *text = find_source(source);
    if (!text)
        return clg__fail(CLG_INTERNAL_ERROR, "there is no kernel source \"%s\"", source);
    struct clg__program *entry = calloc(1, sizeof *entry);
    char *copy = entry ? malloc(strlen(options) + 1) : NULL;
    if (!copy) {
        free(entry);
        return clg__fail_alloc("a program");
    }
    strcpy(copy, options);
    *entry = (struct clg__program){cache->programs, text->name, copy, NULL};
    clg_status status = build(cache, text, options, &entry->program);
    if (status != CLG_OK) {
        free(copy);
        free(entry);
        return status;
    }
    cache->programs = entry;
    *program = entry->program;
    return CLG_OK;
}
