#include "runtime/disk_cache.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ops/elements.h"
#include "runtime/kernel_sources.h"
#include "support/scratch.h"
#include "support/testing.h"

enum { KIB = 1024, MIB = 1024 * KIB, NOBODY = 65534 };

static const clg_device_info device = {
    .platform_name = "a platform", .name = "a device", .version = "OpenCL 1.2", .driver = "7.0"};

/* Each test has a folder of its own with nothing in it. */
static int setup(void **state)
{
    if (scratch_make(state) != 0)
        return -1;
    unsetenv("CLGRAD_CACHE");
    unsetenv("CLGRAD_CACHE_MB");
    return setenv("CLGRAD_CACHE_DIR", scratch_path(""), 1);
}

static struct clg__disk_cache *open_cache(void)
{
    struct clg__disk_cache *cache = clg__disk_cache_open(&device);
    assert_non_null(cache);
    return cache;
}

/* `size` bytes that depend on the seed. */
static unsigned char *make_binary(size_t size, uint64_t seed)
{
    unsigned char *binary = malloc(size);
    struct ref_random random = {seed};
    assert_non_null(binary);
    for (size_t i = 0; i < size; i++)
        binary[i] = (unsigned char)(ref_random_bits(&random) >> 56);
    return binary;
}

static void store(struct clg__disk_cache *cache, const char *text, size_t size, uint64_t seed)
{
    unsigned char *binary = make_binary(size, seed);
    clg__disk_cache_store(cache, text, "-DX", binary, size);
    free(binary);
}

enum finding { NOTHING, RIGHT, WRONG };

static enum finding look_up(struct clg__disk_cache *cache, const char *text, size_t size,
                            uint64_t seed)
{
    size_t bytes = 0;
    unsigned char *loaded = clg__disk_cache_load(cache, text, "-DX", &bytes);
    if (!loaded)
        return NOTHING;
    unsigned char *binary = make_binary(size, seed);
    bool right = bytes == size && memcmp(loaded, binary, size) == 0;
    free(binary);
    free(loaded);
    return right ? RIGHT : WRONG;
}

/* Whether the cache holds the text's binary, which must then be the one stored. */
static bool holds(struct clg__disk_cache *cache, const char *text, size_t size, uint64_t seed)
{
    enum finding found = look_up(cache, text, size, seed);
    assert_true(found != WRONG);
    return found == RIGHT;
}

static void what_is_stored_is_loaded_after_reopening(void **state)
{
    (void)state;
    struct clg__disk_cache *cache = open_cache();
    assert_false(holds(cache, "source", 5000, 1));
    store(cache, "source", 5000, 1);
    store(cache, "other source", 1, 2);
    assert_true(holds(cache, "source", 5000, 1));
    clg__disk_cache_close(cache);
    cache = open_cache();
    assert_true(holds(cache, "source", 5000, 1));
    assert_true(holds(cache, "other source", 1, 2));
    store(cache, "source", 70000, 3); /* replaces */
    assert_true(holds(cache, "source", 70000, 3));
    clg__disk_cache_close(cache);
    clg__disk_cache_close(NULL);
}

static void another_text_option_device_or_driver_is_another_program(void **state)
{
    (void)state;
    struct clg__disk_cache *cache = open_cache();
    store(cache, "source", 100, 1);
    size_t bytes;
    assert_null(clg__disk_cache_load(cache, "source", "-DX=2", &bytes));
    assert_null(clg__disk_cache_load(cache, "source ", "-DX", &bytes));
    clg__disk_cache_close(cache);
    clg_device_info others[] = {device, device, device, device};
    strcpy(others[0].name, "another device");
    strcpy(others[1].version, "OpenCL 3.0");
    strcpy(others[2].driver, "7.1");
    strcpy(others[3].platform_name, "another platform");
    for (int i = 0; i < 4; i++) {
        cache = clg__disk_cache_open(&others[i]);
        assert_non_null(cache);
        assert_null(clg__disk_cache_load(cache, "source", "-DX", &bytes));
        clg__disk_cache_close(cache);
    }
}

static void the_least_recently_used_programs_go_first(void **state)
{
    (void)state;
    setenv("CLGRAD_CACHE_MB", "1", 1);
    struct clg__disk_cache *cache = open_cache();
    store(cache, "a", 300 * KIB, 1);
    store(cache, "b", 300 * KIB, 2);
    store(cache, "c", 300 * KIB, 3);
    assert_true(holds(cache, "a", 300 * KIB, 1)); /* now b is the oldest */
    store(cache, "d", 300 * KIB, 4);
    assert_false(holds(cache, "b", 300 * KIB, 2));
    assert_true(holds(cache, "a", 300 * KIB, 1));
    assert_true(holds(cache, "c", 300 * KIB, 3));
    assert_true(holds(cache, "d", 300 * KIB, 4));
    store(cache, "huge", 2 * MIB, 5); /* larger than the cache: drops nothing */
    assert_false(holds(cache, "huge", 2 * MIB, 5));
    assert_true(holds(cache, "d", 300 * KIB, 4));
    clg__disk_cache_close(cache);
    struct stat file;
    assert_int_equal(stat(scratch_path("programs.sqlite"), &file), 0);
    assert_true(file.st_size < MIB + 64 * KIB);
}

static void the_environment_switches_it(void **state)
{
    (void)state;
    static const char *const self_caching[] = {"Portable Computing Language", "NVIDIA CUDA",
                                               "rusticl"};
    setenv("CLGRAD_CACHE", "off", 1);
    assert_null(clg__disk_cache_open(&device));
    for (size_t i = 0; i < 3; i++) {
        clg_device_info info = device;
        strcpy(info.platform_name, self_caching[i]);
        setenv("CLGRAD_CACHE", "auto", 1);
        assert_null(clg__disk_cache_open(&info));
        setenv("CLGRAD_CACHE", "force", 1);
        struct clg__disk_cache *cache = clg__disk_cache_open(&info);
        assert_non_null(cache);
        clg__disk_cache_close(cache);
    }
    setenv("CLGRAD_CACHE_MB", "0", 1);
    assert_null(clg__disk_cache_open(&device));
    setenv("CLGRAD_CACHE_MB", "many", 1); /* not a number: the default */
    clg__disk_cache_close(open_cache());
}

/* Opens, closes and says whether the file appeared. */
static bool appears_at(const char *file)
{
    clg__disk_cache_close(open_cache());
    return unlink(scratch_path(file)) == 0;
}

static void the_folder_comes_from_the_environment_and_is_made(void **state)
{
    (void)state;
    struct stat folder;
    setenv("CLGRAD_CACHE_DIR", scratch_path("own"), 1);
    assert_true(appears_at("own/programs.sqlite"));
    unsetenv("CLGRAD_CACHE_DIR");
    setenv("XDG_CACHE_HOME", scratch_path("xdg"), 1);
    assert_true(appears_at("xdg/clgrad/programs.sqlite"));
    assert_int_equal(stat(scratch_path("xdg/clgrad"), &folder), 0);
    assert_int_equal(folder.st_mode & 0777, 0700);
    const char *home = getenv("HOME");
    char *kept = strcpy(malloc(strlen(home ? home : "") + 1), home ? home : "");
    setenv("XDG_CACHE_HOME", "relative", 1); /* not allowed there: passed over */
    setenv("HOME", scratch_path("home"), 1);
    assert_true(appears_at("home/.cache/clgrad/programs.sqlite"));
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    assert_null(clg__disk_cache_open(&device));
    setenv("HOME", kept, 1);
    free(kept);
    rmdir(scratch_path("xdg/clgrad"));
    rmdir(scratch_path("home/.cache/clgrad"));
    rmdir(scratch_path("home/.cache"));
}

static void no_folder_means_no_cache(void **state)
{
    (void)state;
    scratch_write("file", "", 0);
    setenv("CLGRAD_CACHE_DIR", scratch_path("file/below"), 1);
    assert_null(clg__disk_cache_open(&device));
    char long_path[5000];
    memset(long_path, 'x', sizeof long_path);
    long_path[0] = '/';
    long_path[sizeof long_path - 1] = '\0';
    setenv("CLGRAD_CACHE_DIR", long_path, 1);
    assert_null(clg__disk_cache_open(&device));
}

/* ---- Damage ---- */

static void a_file_of_something_else_is_replaced(void **state)
{
    (void)state;
    unsigned char *noise = make_binary(10000, 9);
    scratch_write("programs.sqlite", noise, 10000);
    free(noise);
    struct clg__disk_cache *cache = open_cache();
    store(cache, "source", 100, 1);
    assert_true(holds(cache, "source", 100, 1));
    clg__disk_cache_close(cache);
}

static void a_table_of_another_layout_is_replaced(void **state)
{
    (void)state;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(scratch_path("programs.sqlite"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE programs (a, b)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    struct clg__disk_cache *cache = open_cache();
    store(cache, "source", 100, 1);
    assert_true(holds(cache, "source", 100, 1));
    clg__disk_cache_close(cache);
}

static void a_binary_with_a_changed_byte_is_not_loaded(void **state)
{
    (void)state;
    struct clg__disk_cache *cache = open_cache();
    store(cache, "source", 100, 1);
    clg__disk_cache_close(cache);
    size_t size;
    unsigned char *file = scratch_read("programs.sqlite", &size);
    unsigned char *binary = make_binary(100, 1);
    size_t at = 0;
    while (at + 100 < size && memcmp(file + at, binary, 100) != 0)
        at++;
    assert_true(at + 100 < size);
    file[at + 50] ^= 1;
    scratch_write("programs.sqlite", file, size);
    free(file);
    free(binary);
    cache = open_cache();
    assert_false(holds(cache, "source", 100, 1));
    store(cache, "source", 100, 1);
    assert_true(holds(cache, "source", 100, 1));
    clg__disk_cache_close(cache);
}

static void a_file_damaged_anywhere_gives_the_stored_binary_or_none(void **state)
{
    (void)state;
    enum { PROGRAMS = 20, ROUNDS = 60 };
    char text[32];
    struct clg__disk_cache *cache = open_cache();
    for (int i = 0; i < PROGRAMS; i++) {
        snprintf(text, sizeof text, "source %d", i);
        store(cache, text, 3000, (uint64_t)i);
    }
    clg__disk_cache_close(cache);
    size_t size;
    unsigned char *good = scratch_read("programs.sqlite", &size);
    unsigned char *bad = malloc(size);
    struct ref_random random = {7};
    for (int round = 0; round < ROUNDS; round++) {
        memcpy(bad, good, size);
        size_t length = round % 3 == 0 ? (size_t)(ref_random_bits(&random) % size) : size;
        for (int k = 0; k < 200; k++)
            bad[ref_random_bits(&random) % size] = (unsigned char)ref_random_bits(&random);
        scratch_write("programs.sqlite", bad, length);
        cache = clg__disk_cache_open(&device);
        for (int i = 0; i < PROGRAMS && cache; i++) {
            snprintf(text, sizeof text, "source %d", i);
            holds(cache, text, 3000, (uint64_t)i);
            store(cache, text, 3000, (uint64_t)i);
        }
        clg__disk_cache_close(cache);
    }
    free(good);
    free(bad);
}

/* ---- Other processes ---- */

/* Runs `body` in a process of its own, as a user without rights when this one is root. */
static pid_t start(int (*body)(int), int argument, bool unprivileged)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    if (unprivileged && geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
        _exit(99);
    _exit(body(argument));
}

static void expect_success(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int opens_nothing(int unused)
{
    (void)unused;
    struct clg__disk_cache *cache = clg__disk_cache_open(&device);
    clg__disk_cache_close(cache);
    return cache ? 1 : 0;
}

static int reads_but_does_not_write(int unused)
{
    (void)unused;
    struct clg__disk_cache *cache = clg__disk_cache_open(&device);
    if (!cache || look_up(cache, "source", 100, 1) != RIGHT)
        return 1;
    store(cache, "new", 100, 2);
    if (look_up(cache, "new", 100, 2) != NOTHING)
        return 2;
    clg__disk_cache_close(cache);
    return 0;
}

static void a_read_only_folder_is_no_obstacle(void **state)
{
    (void)state;
    chmod(scratch_path(""), 0555);
    expect_success(start(opens_nothing, 0, true));
    chmod(scratch_path(""), 0755);
    struct clg__disk_cache *cache = open_cache();
    store(cache, "source", 100, 1);
    clg__disk_cache_close(cache);
    chmod(scratch_path("programs.sqlite"), 0444);
    chmod(scratch_path(""), 0555);
    expect_success(start(reads_but_does_not_write, 0, true));
    chmod(scratch_path(""), 0700);
}

enum { PROCESSES = 4, EACH = 40 };

static int stores_and_loads(int process)
{
    for (int i = 0; i < EACH; i++) {
        struct clg__disk_cache *cache = clg__disk_cache_open(&device);
        if (!cache)
            return 1;
        char text[32];
        snprintf(text, sizeof text, "%d of %d", i, process);
        store(cache, text, 20000, (uint64_t)i);
        store(cache, "shared", 20000, 0);
        if (look_up(cache, text, 20000, (uint64_t)i) != RIGHT ||
            look_up(cache, "shared", 20000, 0) != RIGHT)
            return 2;
        clg__disk_cache_close(cache);
    }
    return 0;
}

static void several_processes_use_one_file_at_once(void **state)
{
    (void)state;
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++)
        children[i] = start(stores_and_loads, i, false);
    for (int i = 0; i < PROCESSES; i++)
        expect_success(children[i]);
    struct clg__disk_cache *cache = open_cache();
    for (int i = 0; i < PROCESSES * EACH; i++) {
        char text[32];
        snprintf(text, sizeof text, "%d of %d", i % EACH, i / EACH);
        assert_true(holds(cache, text, 20000, (uint64_t)(i % EACH)));
    }
    clg__disk_cache_close(cache);
}

/* ---- With a driver ---- */

/* f(-2) of an activation, in a context of its own. */
static float activate(clg_activation_kind kind)
{
    clg_context *ctx;
    clg_activation *plan;
    clg_tensor *x;
    float value = -2;
    clg_activation_desc desc = {kind, 0, clg_desc_1d(1)};
    OK(clg_context_create(NULL, &ctx));
    OK(clg_activation_create(ctx, &desc, &plan));
    OK(clg_tensor_create(ctx, &desc.x, &x));
    OK(clg_tensor_upload(x, &value, NULL));
    OK(clg_activation_forward(plan, x, x, NULL));
    OK(clg_tensor_download(x, &value, NULL));
    clg_tensor_destroy(x);
    clg_activation_destroy(plan);
    clg_context_destroy(ctx);
    return value;
}

static const char *activation_source(void)
{
    const struct clg__kernel_source *source = clg__kernel_sources;
    while (strcmp(source->name, "activation") != 0)
        source++;
    return source->text;
}

static const char *options_of(clg_activation_kind kind)
{
    static char options[64];
    snprintf(options, sizeof options, "-cl-std=CL1.2 -DKIND=%d %s", (int)kind,
             clg__elements_options(testing_context()));
    return options;
}

static struct clg__disk_cache *open_for_test_device(void)
{
    clg_device_info info;
    OK(clg_device_find(NULL, &info));
    struct clg__disk_cache *cache = clg__disk_cache_open(&info);
    assert_non_null(cache);
    return cache;
}

static unsigned char *load_activation(clg_activation_kind kind, size_t *bytes)
{
    struct clg__disk_cache *cache = open_for_test_device();
    unsigned char *binary =
        clg__disk_cache_load(cache, activation_source(), options_of(kind), bytes);
    clg__disk_cache_close(cache);
    return binary;
}

static void plant(clg_activation_kind kind, const void *binary, size_t bytes)
{
    struct clg__disk_cache *cache = open_for_test_device();
    clg__disk_cache_store(cache, activation_source(), options_of(kind), binary, bytes);
    clg__disk_cache_close(cache);
}

/* The proof that a context builds from disk: give it another program's binary. */
static void a_second_context_builds_from_the_disk(void **state)
{
    (void)state;
    setenv("CLGRAD_CACHE", "force", 1);
    assert_float_equal(activate(CLG_ACTIVATION_RELU), 0, 0);
    assert_float_equal(activate(CLG_ACTIVATION_RELU), 0, 0);
    assert_float_equal(activate(CLG_ACTIVATION_HARDSWISH), -1.0f / 3, 1e-6f);
    size_t bytes;
    unsigned char *binary = load_activation(CLG_ACTIVATION_HARDSWISH, &bytes);
    assert_non_null(binary);
    plant(CLG_ACTIVATION_RELU, binary, bytes);
    free(binary);
    assert_float_equal(activate(CLG_ACTIVATION_RELU), -1.0f / 3, 1e-6f);
}

static void a_binary_that_the_driver_refuses_is_built_anew(void **state)
{
    (void)state;
    clg_device_info info;
    OK(clg_device_find(NULL, &info));
    if (strcmp(info.platform_name, "rusticl") == 0)
        skip(); /* Mesa 22.3 aborts the process instead of refusing */
    setenv("CLGRAD_CACHE", "force", 1);
    static const char nonsense[] = "no program at all";
    plant(CLG_ACTIVATION_RELU, nonsense, sizeof nonsense);
    assert_float_equal(activate(CLG_ACTIVATION_RELU), 0, 0);
    size_t bytes;
    unsigned char *binary = load_activation(CLG_ACTIVATION_RELU, &bytes);
    assert_true(bytes > sizeof nonsense);
    free(binary);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, scratch_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_stored_is_loaded_after_reopening),
        TEST(another_text_option_device_or_driver_is_another_program),
        TEST(the_least_recently_used_programs_go_first),
        TEST(the_environment_switches_it),
        TEST(the_folder_comes_from_the_environment_and_is_made),
        TEST(no_folder_means_no_cache),
        TEST(a_file_of_something_else_is_replaced),
        TEST(a_table_of_another_layout_is_replaced),
        TEST(a_binary_with_a_changed_byte_is_not_loaded),
        TEST(a_file_damaged_anywhere_gives_the_stored_binary_or_none),
        TEST(a_read_only_folder_is_no_obstacle),
        TEST(several_processes_use_one_file_at_once),
        TEST(a_second_context_builds_from_the_disk),
        TEST(a_binary_that_the_driver_refuses_is_built_anew),
    };
    return cmocka_run_group_tests(tests, NULL, testing_teardown);
}
