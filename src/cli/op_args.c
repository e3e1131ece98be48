#include "cli/op_args.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/suggest.h"

static const struct cli_op *const operations[] = {
#define CLG_OP(name) &cli_op_##name,
#include "cli/ops.def"
#undef CLG_OP
};

enum { OPERATIONS = sizeof operations / sizeof operations[0], MAX_ALGORITHMS = 64 };

static const char blanks[] = " \t\r\n";

const struct cli_op *const *cli_op_list(size_t *count)
{
    *count = OPERATIONS;
    return operations;
}

const struct cli_op *cli_op_find(const char *name)
{
    for (size_t i = 0; i < OPERATIONS; i++)
        if (strcmp(operations[i]->name, name) == 0)
            return operations[i];
    return NULL;
}

bool cli_op_has_algorithm(const struct cli_op *op, const char *name)
{
    const char *names[MAX_ALGORITHMS];
    size_t count = op->algorithms ? op->algorithms(names, MAX_ALGORITHMS) : 0;
    for (size_t i = 0; i < count && i < MAX_ALGORITHMS; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static clg_status fail_unknown_operation(const char *name)
{
    struct suggestion hint;
    suggest_begin(&hint, name);
    for (size_t i = 0; i < OPERATIONS; i++)
        suggest_offer(&hint, operations[i]->name, strlen(operations[i]->name));
    return clg__fail(CLG_INVALID_ARGUMENT,
                     "there is no operation \"%s\"%s (clgrad op --help lists them)", name,
                     suggest_text(&hint, ""));
}

static bool knows(const struct cli_op *op, const char *key)
{
    size_t length = strlen(key);
    for (const char *at = op->keys; *at;) {
        size_t word = strcspn(at, " ");
        if (word == length && memcmp(at, key, length) == 0)
            return true;
        at += word + strspn(at + word, " ");
    }
    return strcmp(key, "algo") == 0 && op->algorithms;
}

static clg_status fail_unknown_key(const struct cli_op *op, const char *key)
{
    struct suggestion hint;
    suggest_begin(&hint, key);
    suggest_offer_list(&hint, op->keys, ' ');
    if (op->algorithms)
        suggest_offer(&hint, "algo", 4);
    return clg__fail(CLG_INVALID_ARGUMENT, "%s has no key \"%s\"%s; it has: %s%s", op->name, key,
                     suggest_text(&hint, ""), op->keys, op->algorithms ? " algo" : "");
}

static clg_status check_algorithm(const struct cli_op *op, const char *name)
{
    if (!name || strcmp(name, "auto") == 0 || cli_op_has_algorithm(op, name))
        return CLG_OK;
    const char *names[MAX_ALGORITHMS];
    size_t count = op->algorithms(names, MAX_ALGORITHMS);
    struct suggestion hint;
    char list[512] = "auto";
    suggest_begin(&hint, name);
    for (size_t i = 0; i < count && i < MAX_ALGORITHMS; i++) {
        suggest_offer(&hint, names[i], strlen(names[i]));
        if (strlen(list) + strlen(names[i]) + 3 < sizeof list) {
            strcat(list, ", ");
            strcat(list, names[i]);
        }
    }
    return clg__fail(CLG_INVALID_ARGUMENT, "%s has no algorithm \"%s\"%s; algo is one of %s",
                     op->name, name, suggest_text(&hint, ""), list);
}

static clg_status add_pair(struct op_args *args, char *word)
{
    char *equals = strchr(word, '=');
    if (!equals || equals == word)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: \"%s\" is not key=value; the keys are: %s",
                         args->op->name, word, args->op->keys);
    *equals = '\0';
    if (!knows(args->op, word))
        return fail_unknown_key(args->op, word);
    if (op_args_get(args, word))
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: %s is given twice", args->op->name, word);
    if (!equals[1])
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: %s= has no value", args->op->name, word);
    if (args->count == OP_MAX_ARGS)
        return clg__fail(CLG_INVALID_ARGUMENT, "%s: more than %d keys", args->op->name,
                         OP_MAX_ARGS);
    args->keys[args->count] = word;
    args->values[args->count++] = equals + 1;
    return CLG_OK;
}

/* Takes the words apart in args->text, where `size` bytes end in 0, with a 0 between words. */
static clg_status split(struct op_args *args, size_t size)
{
    char *end = args->text + size, *next;
    for (char *word = args->text; word < end; word = next) {
        next = word + strlen(word) + 1; /* before the word itself is taken apart */
        if (!*word)
            continue;
        if (!args->op) {
            args->op = cli_op_find(word);
            if (!args->op)
                return fail_unknown_operation(word);
        } else {
            CLG__TRY(add_pair(args, word));
        }
    }
    if (!args->op)
        return clg__fail(CLG_INVALID_ARGUMENT, "no operation is named");
    return check_algorithm(args->op, op_args_get(args, "algo"));
}

clg_status op_args_from_words(int count, char *const *words, struct op_args *args)
{
    size_t size = 1;
    *args = (struct op_args){0};
    for (int i = 0; i < count; i++)
        size += strlen(words[i]) + 1;
    args->text = calloc(size, 1);
    if (!args->text)
        return clg__fail_alloc("the arguments");
    char *at = args->text;
    for (int i = 0; i < count; i++) {
        memcpy(at, words[i], strlen(words[i]));
        at += strlen(words[i]) + 1;
    }
    return split(args, size);
}

clg_status op_args_from_line(const char *line, struct op_args *args)
{
    size_t size = strlen(line) + 1;
    *args = (struct op_args){0};
    args->text = malloc(size);
    if (!args->text)
        return clg__fail_alloc("the arguments");
    memcpy(args->text, line, size);
    for (char *at = args->text; *(at += strcspn(at, blanks));)
        *at++ = '\0';
    return split(args, size);
}

void op_args_free(struct op_args *args)
{
    free(args->text);
    *args = (struct op_args){0};
}

const char *op_args_get(const struct op_args *args, const char *key)
{
    for (size_t i = 0; i < args->count; i++)
        if (strcmp(args->keys[i], key) == 0)
            return args->values[i];
    return NULL;
}
