/* Option tables and suggestions, in the test's own process; messages go to its stderr. */
#include "cli/command.h"
#include <stdio.h>

#include "cli/options.h"
#include "cli/suggest.h"
#include "support/testing.h"

/* What the options of the tests store, and what parsing says. */
struct parsed {
    bool fast;
    const char *name;
    int64_t count;
    double rate;
    const char *shape;
    const char *device;
    int arguments;
    char *argv[16];
};

static int parse(struct parsed *p, const char *line)
{
    static char copy[256];
    *p = (struct parsed){.count = 7, .rate = 0.5, .shape = "round"};
    const struct cli_option options[] = {
        {.name = "fast", .type = CLI_FLAG, .value = &p->fast, .help = "quickly"},
        {.name = "name", .type = CLI_TEXT, .value = &p->name, .placeholder = "NAME", .help = "n"},
        {.name = "count",
         .type = CLI_INT,
         .value = &p->count,
         .placeholder = "N",
         .help = "how many",
         .least = -3,
         .most = 100},
        {.name = "rate", .type = CLI_NUMBER, .value = &p->rate, .placeholder = "R", .help = "r"},
        {.name = "shape",
         .type = CLI_CHOICE,
         .value = &p->shape,
         .placeholder = "round|square",
         .help = "of it"},
        CLI_OPTION_DEVICE(p->device),
        {.name = NULL},
    };
    const struct cli_syntax syntax = {"test", "test FILE [options]\ntest --fast", "Tests.", options,
                                      2};
    snprintf(copy, sizeof copy, "%s", line);
    int argc = 0;
    p->argv[argc++] = "test";
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
        p->argv[argc++] = word;
    return cli_options_parse(&syntax, argc, p->argv, &p->arguments);
}

static void options_are_read_with_blank_and_with_equals_sign(void **state)
{
    (void)state;
    struct parsed p;
    const char *const lines[] = {"--fast --name a=b --count -2 --rate 1e-3 --shape square",
                                 "--fast --name=a=b --count=-2 --rate=1e-3 --shape=square"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(parse(&p, lines[i]), CLI_GO_ON);
        assert_true(p.fast);
        assert_string_equal(p.name, "a=b");
        assert_int_equal(p.count, -2);
        assert_true(p.rate == 1e-3);
        assert_string_equal(p.shape, "square");
        assert_int_equal(p.arguments, 0);
    }
}

static void options_that_are_not_given_keep_their_defaults(void **state)
{
    (void)state;
    struct parsed p;
    assert_int_equal(parse(&p, ""), CLI_GO_ON);
    assert_false(p.fast);
    assert_null(p.name);
    assert_int_equal(p.count, 7);
    assert_true(p.rate == 0.5);
    assert_string_equal(p.shape, "round");
    assert_null(p.device);
}

static void words_may_stand_between_options(void **state)
{
    (void)state;
    struct parsed p;
    assert_int_equal(parse(&p, "one --count 3 - --fast"), CLI_GO_ON);
    assert_int_equal(p.arguments, 2);
    assert_string_equal(p.argv[1], "one");
    assert_string_equal(p.argv[2], "-");
    assert_true(p.fast);
    assert_int_equal(parse(&p, "--fast -- --count -x"), CLI_GO_ON);
    assert_int_equal(p.arguments, 2);
    assert_string_equal(p.argv[1], "--count");
    assert_string_equal(p.argv[2], "-x");
    assert_int_equal(p.count, 7);
}

static void the_last_of_repeated_options_counts(void **state)
{
    (void)state;
    struct parsed p;
    assert_int_equal(parse(&p, "--count 3 --count 4"), CLI_GO_ON);
    assert_int_equal(p.count, 4);
}

static void mistakes_are_usage_errors(void **state)
{
    (void)state;
    const char *const lines[] = {
        "--fats",
        "--fast=yes",
        "--count",
        "--count x",
        "--count 3x",
        "--count=",
        "--count 101",
        "--count -4",
        "--rate nan",
        "--rate 1,5",
        "--rate inf",
        "--shape triangle",
        "--shape roun",
        "--name=",
        "-f",
        "one two three",
        "--count 99999999999999999999",
        "--rate 1e999",
        "--nam x",
    };
    struct parsed p;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (parse(&p, lines[i]) != CLI_USAGE)
            fail_msg("\"%s\" is no usage error", lines[i]);
}

static void help_ends_the_parsing(void **state)
{
    (void)state;
    struct parsed p;
    assert_int_equal(parse(&p, "--help --no-such-option"), CLI_OK);
    assert_int_equal(parse(&p, "-h"), CLI_OK);
}

static const char *nearest(const char *word, const char *list)
{
    static struct suggestion hint;
    suggest_begin(&hint, word);
    suggest_offer_list(&hint, list, ' ');
    return suggest_text(&hint, "");
}

static void the_nearest_name_is_suggested_and_a_far_one_is_not(void **state)
{
    (void)state;
    const char *list = "direct im2col textbook bwd_data bwd_filter pad";
    assert_string_equal(nearest("direkt", list), "; did you mean direct?");
    assert_string_equal(nearest("im2cl", list), "; did you mean im2col?");
    assert_string_equal(nearest("mi2col", list), "; did you mean im2col?");
    assert_string_equal(nearest("bwd-data", list), "; did you mean bwd_data?");
    assert_string_equal(nearest("pda", list), "; did you mean pad?");
    assert_string_equal(nearest("winograd", list), "");
    assert_string_equal(nearest("", list), "");
    assert_string_equal(nearest("a-word-that-is-longer-than-any-name-could-ever-be-in-here", list),
                        "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_read_with_blank_and_with_equals_sign),
        cmocka_unit_test(options_that_are_not_given_keep_their_defaults),
        cmocka_unit_test(words_may_stand_between_options),
        cmocka_unit_test(the_last_of_repeated_options_counts),
        cmocka_unit_test(mistakes_are_usage_errors),
        cmocka_unit_test(help_ends_the_parsing),
        cmocka_unit_test(the_nearest_name_is_suggested_and_a_far_one_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
