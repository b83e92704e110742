/* Lines of `name=value` set into a table with every kind of option. Whatever they are: a refusal
 * changes nothing and says something, and what was taken can be shown and taken again. */
#include "fuzz.h"

#include "base/options.h"
#include "base/text.h"

struct sample {
    bool verbose;
    int64_t factors;
    double alpha;
    int solver;
    const char *title;
};

static const struct opt rows[] = {
    {"verbose", OPT_BOOL, offsetof(struct sample, verbose), "false", 0, 0, OPT_LINEAR, NULL, "x"},
    {"factors", OPT_INT, offsetof(struct sample, factors), "64", 4, 1024, OPT_LOG2, NULL, "x"},
    {"alpha", OPT_REAL, offsetof(struct sample, alpha), "0.1", 1e-4, 10, OPT_LOG, NULL, "x"},
    {"solver", OPT_CHOICE, offsetof(struct sample, solver), "cg", 0, 0, OPT_LINEAR,
     "cg|exact|block", "x"},
    {"title", OPT_TEXT, offsetof(struct sample, title), NULL, 0, 0, OPT_LINEAR, NULL, "x"},
};
static const struct opt_table table = {rows, sizeof rows / sizeof rows[0]};

static void check_refusal(const struct sample *s, const struct sample *before,
                          const struct pal_error *err)
{
    size_t len = strlen(err->message);
    FUZZ_CHECK(memcmp(s, before, sizeof *s) == 0);
    FUZZ_CHECK(err->status == PAL_EUSAGE);
    FUZZ_CHECK(len > 0 && len < sizeof err->message);
    FUZZ_CHECK(text_is_utf8(err->message, len));
}

static void check_taken(const char *name, const struct sample *s)
{
    const struct opt *row = opt_find(&table, name);
    struct str shown = {0};
    struct sample again;
    struct pal_error err;
    memset(&again, 0, sizeof again);
    memcpy(&again, s, sizeof again);
    FUZZ_CHECK(row != NULL);
    opt_show(row, s, &shown);
    FUZZ_CHECK(str_ok(&shown));
    FUZZ_CHECK(opt_set(&table, &again, name, str_text(&shown), &err) == PAL_OK);
    if (row->kind != OPT_TEXT)
        FUZZ_CHECK(memcmp(&again, s, sizeof again) == 0);
    FUZZ_CHECK(s->factors >= 4 && s->factors <= 1024);
    FUZZ_CHECK(s->alpha >= 1e-4 && s->alpha <= 10);
    FUZZ_CHECK(s->solver >= 0 && s->solver <= 2);
    str_done(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    struct sample s, before;
    memset(&s, 0, sizeof s);
    opt_defaults(&table, &s);
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *value = strchr(line, '=');
        if (!value)
            continue;
        *value++ = 0;
        struct pal_error err = {0};
        memcpy(&before, &s, sizeof s);
        if (opt_set(&table, &s, line, value, &err) == PAL_OK)
            check_taken(line, &s);
        else
            check_refusal(&s, &before, &err);
    }
    free(text);
    return 0;
}
