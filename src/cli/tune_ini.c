/* What a search leaves behind for training: its best options as a config file; and what it says of
 * the options themselves. */
#include "base/file.h"
#include "base/mem.h"
#include "cli/tune.h"
#include "eval/importance.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What training reads the same data with. */
static const char recorded[] = "data format columns skip-bad fold store journal weights";

enum { LONGEST = 150 }; /* libinih reads lines of 200 */

/* Whether libinih gives the value back as it is: a comment begins at a blank and ';'. */
static bool survives(const char *value)
{
    size_t len = strlen(value);
    return len && len < LONGEST && !strpbrk(value, "\r\n;#") && value[0] != ' ' &&
           value[len - 1] != ' ';
}

static void put_data(const struct tune *t, struct str *out)
{
    const char *list = recorded;
    for (int i; (i = option_next(&list)) >= 0;) {
        struct str value = {0};
        opt_show(&options[i].row, &t->job->set, &value);
        if (t->job->origin[i] != FROM_DEFAULT && survives(str_text(&value)))
            str_fmt(out, "%s = %s\n", options[i].row.name, str_text(&value));
        out->failed |= value.failed;
        str_done(&value);
    }
}

static void put_ini(const struct tune *t, struct str *out)
{
    const struct tune_record *best = tune_best(t), *first = tune_find(t, 1, t->set.rungs - 1);
    const struct trials *j = &t->judged;
    const struct opt_table *table = &t->start.ops->options;
    str_fmt(out, "# The best of %zu trials of palate tune: %s %.4f", t->count, j->metrics[0].name,
            best->value[0]);
    if (first && !*first->reason)
        str_fmt(out, " (%.4f where it began)", first->value[0]);
    str_fmt(out, "\n# on the validation part of %s, %s, seed %llu.\n", t->seen.name, j->split.spec,
            (unsigned long long)t->set.seed);
    put_data(t, out);
    str_fmt(out, "model = %s\n\n[%s]\n", t->start.ops->name, t->start.ops->name);
    for (size_t i = 0; i < table->count; i++) {
        str_fmt(out, "%s = ", table->rows[i].name);
        opt_show(&table->rows[i], best->options, out);
        str_char(out, '\n');
    }
}

enum pal_status tune_ini(const struct tune *t, const char *path, struct pal_error *err)
{
    struct str text = {0};
    put_ini(t, &text);
    enum pal_status st = str_ok(&text) ? PAL_OK : pal_no_memory(err);
    if (!st)
        st = file_put(path, str_text(&text), text.len, err);
    str_done(&text);
    return st;
}

/* The points and values of the lowest rung, without trial 1, which was not drawn. */
static size_t drawn(const struct tune *t, double *value, double *at)
{
    size_t n = 0, dims = t->space.count;
    double point[SPACE_MOST];
    for (size_t i = 0; i < t->count; i++) {
        const struct tune_record *r = &t->records[i];
        if (r->trial == 1 || r->rung || *r->reason)
            continue;
        space_get(&t->space, r->options, point);
        value[n] = r->value[0];
        for (size_t d = 0; d < dims; d++)
            at[d * t->count + n] = point[d];
        n++;
    }
    return n;
}

bool tune_importance(const struct tune *t, double *share)
{
    size_t dims = t->space.count;
    double *value = mem_alloc(t->count, sizeof *value);
    double *at = mem_alloc(t->count * dims, sizeof *at);
    bool known = value && at;
    size_t n = known ? drawn(t, value, at) : 0;
    for (size_t d = 0; d < dims && known; d++)
        known = importance(value, at + d * t->count, n, t->space.option[d].choices > 0, &share[d]);
    mem_free(value);
    mem_free(at);
    return known;
}
