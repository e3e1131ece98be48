/* The parser of benchdnn's problem notation. */
#include <stdio.h>

#include "cli/benchdnn.h"
#include "support/scratch.h"
#include "support/testing.h"

/* in out kernel stride dilation pad_begin pad_end of height and width. */
struct expectation {
    const char *text;
    int64_t batch, groups, in_channels, out_channels;
    int64_t height[7], width[7];
    const char *name;
};

static const struct expectation expectations[] = {
    /* A missing width equals the height. */
    {"mb64ic1ih28oc6oh28kh5ph2n\"lenet:conv1\"",
     64,
     1,
     1,
     6,
     {28, 28, 5, 1, 1, 2, 2},
     {28, 28, 5, 1, 1, 2, 2},
     "lenet:conv1"},
    /* The padding at the end is what makes oh true. */
    {"mb8ic3ih224oc64oh112kh7ph3sh2n\"conv1\"",
     8,
     1,
     3,
     64,
     {224, 112, 7, 2, 1, 3, 2},
     {224, 112, 7, 2, 1, 3, 2},
     "conv1"},
    {"mb1ic8oc8_ih1oh16kh2ph1", 1, 1, 8, 8, {1, 16, 2, 1, 1, 1, 15}, {1, 16, 2, 1, 1, 1, 15}, ""},
    /* Rows that the stride steps over are left out without cropping, others are cropped. */
    {"ic256ih56oc512oh28kh1sh2n\"shortcut\"",
     2,
     1,
     256,
     512,
     {56, 28, 1, 2, 1, 0, 0},
     {56, 28, 1, 2, 1, 0, 0},
     "shortcut"},
    {"ic1ih10oc1oh4kh3ph0", 2, 1, 1, 1, {10, 4, 3, 1, 1, 0, -4}, {10, 4, 3, 1, 1, 0, -4}, ""},
    {"ic1ih11oc1oh3kh3sh2ph0", 2, 1, 1, 1, {11, 3, 3, 2, 1, 0, -3}, {11, 3, 3, 2, 1, 0, -3}, ""},
    /* Without padding it is the half of what the output needs; without output it is 0. */
    {"ic16ih32oc16oh32kh3", 2, 1, 16, 16, {32, 32, 3, 1, 1, 1, 1}, {32, 32, 3, 1, 1, 1, 1}, ""},
    {"ic16ih32oc16kh3", 2, 1, 16, 16, {32, 30, 3, 1, 1, 0, 0}, {32, 30, 3, 1, 1, 0, 0}, ""},
    {"ic16ih33oc16kh3ph1sh2", 2, 1, 16, 16, {33, 17, 3, 2, 1, 1, 1}, {33, 17, 3, 2, 1, 1, 1}, ""},
    {"ic16ih32oc16kh3ph1sh2", 2, 1, 16, 16, {32, 16, 3, 2, 1, 1, 0}, {32, 16, 3, 2, 1, 1, 0}, ""},
    /* Dilation 0 is dense; groups; everything rectangular; underscores; any order. */
    {"mb4ic128ih33oc64oh33kh3ph12dh11n\"deeplab\"",
     4,
     1,
     128,
     64,
     {33, 33, 3, 1, 12, 12, 12},
     {33, 33, 3, 1, 12, 12, 12},
     "deeplab"},
    {"g96mb8ic96ih56oc96oh56kh3ph1",
     8,
     96,
     96,
     96,
     {56, 56, 3, 1, 1, 1, 1},
     {56, 56, 3, 1, 1, 1, 1},
     ""},
    {"mb2_ic32oc32_ih41oh16kh10sh2ph0_iw79ow75kw5sw1pw0n\"ds2\"",
     2,
     1,
     32,
     32,
     {41, 16, 10, 2, 1, 0, 0},
     {79, 75, 5, 1, 1, 0, 0},
     "ds2"},
    {"mb8ic64ih17iw17oc96oh17ow17kh1kw7ph0pw3_nname",
     8,
     1,
     64,
     96,
     {17, 17, 1, 1, 1, 0, 0},
     {17, 17, 7, 1, 1, 3, 3},
     "name"},
    /* In one dimension the height is 1. */
    {"g128ic128iw16oc128ow16kw3sw1pw1n\"conv_dw\"",
     2,
     128,
     128,
     128,
     {1, 1, 1, 1, 1, 0, 0},
     {16, 16, 3, 1, 1, 1, 1},
     "conv_dw"},
    {"g2_ic32oc32_iw27kw2_n\"1d\"",
     2,
     2,
     32,
     32,
     {1, 1, 1, 1, 1, 0, 0},
     {27, 26, 2, 1, 1, 0, 0},
     "1d"},
    /* Sizes above 32 bits are read; whether they can be done is not the parser's question. */
    {"mb1ic4294967311oc1iw1kw1",
     1,
     1,
     INT64_C(4294967311),
     1,
     {1, 1, 1, 1, 1, 0, 0},
     {1, 1, 1, 1, 1, 0, 0},
     ""},
};

static void expect_axis(const char *text, const struct benchdnn_axis *axis, const int64_t *want)
{
    const int64_t got[] = {axis->in,       axis->out,       axis->kernel, axis->stride,
                           axis->dilation, axis->pad_begin, axis->pad_end};
    for (int i = 0; i < 7; i++)
        if (got[i] != want[i])
            fail_msg("%s: number %d of the axis is %lld, expected %lld", text, i, (long long)got[i],
                     (long long)want[i]);
}

static void problems_are_read_as_benchdnn_reads_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++) {
        const struct expectation *e = &expectations[i];
        struct benchdnn_problem problem;
        OK(benchdnn_parse(e->text, &problem));
        assert_int_equal(problem.batch, e->batch);
        assert_int_equal(problem.groups, e->groups);
        assert_int_equal(problem.in_channels, e->in_channels);
        assert_int_equal(problem.out_channels, e->out_channels);
        assert_string_equal(problem.name, e->name);
        assert_int_equal(problem.axes[BENCHDNN_DEPTH].in, 1);
        assert_int_equal(problem.axes[BENCHDNN_DEPTH].kernel, 1);
        expect_axis(e->text, &problem.axes[BENCHDNN_HEIGHT], e->height);
        expect_axis(e->text, &problem.axes[BENCHDNN_WIDTH], e->width);
    }
}

static void depths_alone_make_cubes(void **state)
{
    (void)state;
    const int64_t cube[] = {28, 36, 3, 1, 1, 5, 5}, deep[] = {4, 2, 3, 1, 1, 0, 0};
    const int64_t flat[] = {7, 7, 3, 1, 1, 1, 1};
    struct benchdnn_problem problem;
    OK(benchdnn_parse("ic3oc64id28od36kd3pd5sd1dd0", &problem));
    for (int i = 0; i < BENCHDNN_AXES; i++)
        expect_axis("a cube", &problem.axes[i], cube);
    OK(benchdnn_parse("ic3oc64id4kd3pd0ih7kh3ph1iw7kw3pw1", &problem));
    expect_axis("depth", &problem.axes[BENCHDNN_DEPTH], deep);
    expect_axis("height", &problem.axes[BENCHDNN_HEIGHT], flat);
    expect_axis("width", &problem.axes[BENCHDNN_WIDTH], flat);
}

static void what_is_wrong_with_a_problem_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"", "ic is missing"},
        {"mb1oc3ih4kh3", "ic is missing"},
        {"ic3ih4kh3", "oc is missing"},
        {"ic3oc3", "no size is given"},
        {"ic3oc3kh3", "ih is missing"},
        {"ic3oc3ih4", "kh is missing"},
        {"ic3oc3ih4oh4", "kh is missing"},
        {"ic3oc3ih4kh3kw3", "iw is missing"},
        {"ic3oc3ih4kh3sh0", "sh is 0"},
        {"g0ic3oc3ih4kh3", "g is 0"},
        {"mb0ic3oc3ih4kh3", "mb is 0"},
        {"ic3oc3ih2kh3", "the window of 3 is larger than the padded input of 2"},
        {"ic3oc3id4kd3ih4kh3", "with depths, both heights and widths"},
        {"ic3oc3ih4khx", "a number is expected at \"x\""},
        {"ic3oc3ih-4kh3", "a number is expected at \"-4kh3\""},
        {"ic3oc3ih4kh3zz3", "\"zz3\" is not understood"},
        {"ic3oc3ih4kh3 n", "\" n\" is not understood"},
        {"ic3oc3ih99999999999999999999kh3", "a number is larger than"},
        {"ic3oc3ih4kh3sh99999999", "a number is larger than 1000000"},
    };
    struct benchdnn_problem problem;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        FAILS(CLG_BAD_FORMAT, cases[i].part, benchdnn_parse(cases[i].text, &problem));
}

static const char *write_list(const char *name, const char *text)
{
    return scratch_write(name, text, strlen(text));
}

static void a_list_has_comments_options_and_other_lists(void **state)
{
    (void)state;
    struct benchdnn_list list;
    write_list("more", "ic2ih4oc2kh3n\"inner\"  # says so\n");
    const char *path =
        write_list("list", "# a comment\n"
                           "\n"
                           "  mb3ic1ih4oc1kh3n\"first one\" ic1ih5oc1kh3n\"second\"\r\n"
                           "--dir=FWD_D --dt=f32 --mb=7 --batch=more\n"
                           "--attr-post-ops=, \\\n"
                           "     sum:0.5, \\\n"
                           "     relu --dir=BWD_D\n"
                           "ic1\\\n  ih6oc1kh3\n"
                           "--reset ic1ih7oc1kh3\n"
                           "--mb=2,0 ic1ih8oc1kh3\n"
                           "--mb=0 broken");
    OK(benchdnn_read(path, &list));
    static const struct {
        const char *name;
        int64_t batch, height;
        const char *where;
    } wanted[] = {
        {"first one", 3, 4, "list:3"}, {"second", 2, 5, "list:3"}, {"inner", 7, 4, "more:1"},
        {"", 7, 6, "list:8"},          {"", 2, 7, "list:10"},      {"", 2, 8, "list:11"},
        {"", 2, 8, "list:11"},
    };
    assert_int_equal(list.count, 8);
    for (size_t i = 0; i < 7; i++) {
        assert_string_equal(list.entries[i].error, "");
        assert_string_equal(list.entries[i].problem.name, wanted[i].name);
        assert_int_equal(list.entries[i].problem.batch, wanted[i].batch);
        assert_int_equal(list.entries[i].problem.axes[BENCHDNN_HEIGHT].in, wanted[i].height);
        assert_string_equal(list.entries[i].where, wanted[i].where);
    }
    assert_string_equal(list.entries[7].text, "broken");
    assert_non_null(strstr(list.entries[7].error, "\"broken\" is not understood"));
    assert_int_equal(list.ignored, 4);
    assert_string_equal(list.ignored_names, "--dir --dt --attr-post-ops");
    benchdnn_free(&list);
}

static void a_long_list_is_read_whole(void **state)
{
    (void)state;
    enum { PROBLEMS = 1000 };
    static char text[PROBLEMS * 24];
    size_t used = 0;
    for (int i = 1; i <= PROBLEMS; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "ic%dih4oc1kh3\n", i);
    struct benchdnn_list list;
    OK(benchdnn_read(write_list("long", text), &list));
    assert_int_equal(list.count, PROBLEMS);
    for (int i = 0; i < PROBLEMS; i++)
        assert_int_equal(list.entries[i].problem.in_channels, i + 1);
    benchdnn_free(&list);
}

static void what_is_wrong_with_a_list_is_said(void **state)
{
    (void)state;
    struct benchdnn_list list;
    static char word[4096];
    memset(word, 'g', sizeof word - 1);
    FAILS(CLG_IO_ERROR, "nowhere", benchdnn_read(scratch_path("nowhere"), &list));
    FAILS(CLG_IO_ERROR, "nothing-here",
          benchdnn_read(write_list("a", "ic1ih4oc1kh3 --batch=nothing-here"), &list));
    assert_int_equal(list.count, 0);
    FAILS(CLG_BAD_FORMAT, "include each other",
          benchdnn_read(write_list("self", "--batch=self"), &list));
    FAILS(CLG_BAD_FORMAT, "a:2: --mb=x is no batch size",
          benchdnn_read(write_list("a", "\n--mb=x"), &list));
    FAILS(CLG_BAD_FORMAT, "--mb=-1", benchdnn_read(write_list("a", "--mb=-1"), &list));
    FAILS(CLG_BAD_FORMAT, "a word of", benchdnn_read(write_list("a", word), &list));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problems_are_read_as_benchdnn_reads_them),
        cmocka_unit_test(depths_alone_make_cubes),
        cmocka_unit_test(what_is_wrong_with_a_problem_is_said),
        cmocka_unit_test(a_list_has_comments_options_and_other_lists),
        cmocka_unit_test(a_long_list_is_read_whole),
        cmocka_unit_test(what_is_wrong_with_a_list_is_said),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
