/* Results of palate eval, read back. See results.h. A file may have been edited by hand: what a
 * figure needs and does not find it leaves out; what nothing can go without is an error. */
#include "report/results.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

void results_done(struct results *r)
{
    json_decref(r->root);
    memset(r, 0, sizeof *r);
}

double results_number(const json_t *object, const char *key)
{
    const json_t *x = json_object_get(object, key);
    return json_is_number(x) ? json_number_value(x) : NAN;
}

double results_value(const struct results *r, size_t model, size_t metric)
{
    return results_number(json_object_get(r->model[model], "metrics"), r->metric[metric].name);
}

bool results_interval(const struct results *r, size_t model, size_t metric, double *low,
                      double *high)
{
    const json_t *pair =
        json_object_get(json_object_get(r->model[model], "intervals"), r->metric[metric].name);
    if (json_array_size(pair) != 2 || !json_is_number(json_array_get(pair, 0)) ||
        !json_is_number(json_array_get(pair, 1)))
        return false;
    *low = json_number_value(json_array_get(pair, 0));
    *high = json_number_value(json_array_get(pair, 1));
    return true;
}

const char *results_text(const struct results *r, const char *key)
{
    const char *text = json_string_value(json_object_get(r->root, key));
    return text ? text : "";
}

const json_t *results_comparison(const struct results *r, size_t model)
{
    const json_t *one;
    size_t i;
    json_array_foreach(json_object_get(r->root, "comparisons"), i, one)
    {
        const char *a = json_string_value(json_object_get(one, "a"));
        const char *b = json_string_value(json_object_get(one, "b"));
        if (a && b && strcmp(a, r->label[r->best]) == 0 && strcmp(b, r->label[model]) == 0)
            return one;
    }
    return NULL;
}

int results_best(const struct results *r, size_t metric)
{
    int best = -1;
    double most = NAN;
    for (size_t i = 0; i < r->models; i++) {
        double x = results_value(r, i, metric);
        if (isnan(x) || (best >= 0 && !(metric_falls(&r->metric[metric]) ? x < most : x > most)))
            continue;
        most = x;
        best = (int)i;
    }
    return best;
}

static enum pal_status read_metrics(struct results *r, const char *name, struct pal_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(r->model[0], "metrics"), key, value)
    {
        size_t one = 1;
        if (r->metrics == RESULTS_MOST)
            return pal_fail(err, PAL_ECORRUPT, "%s: more than %d metrics", name, RESULTS_MOST);
        enum pal_status st = metrics_parse(key, &r->metric[r->metrics], &one, err);
        if (st)
            return pal_within(err, PAL_ECORRUPT, "%s", name);
        r->metrics++;
    }
    if (!r->metrics)
        return pal_fail(err, PAL_ECORRUPT, "%s: the first result has no metrics", name);
    return PAL_OK;
}

static enum pal_status read_models(struct results *r, const char *name, struct pal_error *err)
{
    const json_t *list = json_object_get(r->root, "results"), *one;
    size_t i;
    if (!json_array_size(list) || json_array_size(list) > RESULTS_MOST)
        return pal_fail(err, PAL_ECORRUPT,
                        "%s: no list 'results' of 1 to %d models: give a file that palate eval "
                        "--save or --json wrote",
                        name, RESULTS_MOST);
    json_array_foreach(list, i, one)
    {
        r->model[i] = one;
        r->label[i] = json_string_value(json_object_get(one, "label"));
        if (!r->label[i] || !json_is_object(json_object_get(one, "metrics")))
            return pal_fail(err, PAL_ECORRUPT, "%s: result %zu has no label or no metrics", name,
                            i + 1);
        r->models++;
    }
    return PAL_OK;
}

enum pal_status results_take(json_t *root, const char *name, struct results *out,
                             struct pal_error *err)
{
    struct results r = {.root = json_incref(root)};
    enum pal_status st = read_models(&r, name, err);
    if (!st)
        st = read_metrics(&r, name, err);
    if (st) {
        results_done(&r);
        return st;
    }
    int best = results_best(&r, 0);
    r.best = best < 0 ? 0 : (size_t)best;
    *out = r;
    return PAL_OK;
}

enum pal_status results_parse(const char *text, size_t len, const char *name, struct results *out,
                              struct pal_error *err)
{
    json_error_t where;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
    if (!root)
        return pal_fail(err, PAL_ECORRUPT,
                        "%s is not what `palate eval --save` writes: line %d: %s", name, where.line,
                        where.text);
    enum pal_status st = results_take(root, name, out, err);
    json_decref(root);
    return st;
}
