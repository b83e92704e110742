/* See plan.h. */
#include "cli/plan.h"

#include "cli/serving.h"
#include "cli/source.h"
#include "rank/rank.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct model_ops *plan_find(const char *name)
{
    const struct model_ops *ops = model_find(name);
    return ops ? ops : ranker_find(name);
}

/* The i-th of models and, after them, rankers; NULL past the last. */
static const struct model_ops *plan_at(size_t i)
{
    size_t models = 0;
    while (model_at(models))
        models++;
    return i < models ? model_at(i) : ranker_at(i - models);
}

enum pal_status plan_ops(const char *name, const struct model_ops **out, struct pal_error *err)
{
    const struct model_ops *ops;
    const char *near = NULL;
    char names[256] = "";
    size_t best = 3;
    *out = plan_find(name);
    if (*out)
        return PAL_OK;
    for (size_t i = 0, used = 0; (ops = plan_at(i)); i++) {
        size_t distance = opt_distance(name, ops->name);
        if (distance < best && distance < strlen(ops->name) - 1) {
            best = distance;
            near = ops->name;
        }
        if (used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                     ops->name);
    }
    if (near)
        return pal_fail(err, PAL_EUSAGE, "there is no model '%s': did you mean '%s'?", name, near);
    return pal_fail(err, PAL_EUSAGE, "there is no model '%s': use one of %s", name, names);
}

bool plan_ranks(const struct variant *v)
{
    return ranker_find(v->ops->name) != NULL;
}

/* "factors=128" for a variant. */
static enum pal_status set_option(const struct variant *v, const char *text, size_t len,
                                  struct pal_error *err)
{
    char name[64], value[64];
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals ? (size_t)(equals - text) : len;
    if (!equals || name_len >= sizeof name || len - name_len > sizeof value)
        return pal_fail(err, PAL_EUSAGE, "%s: expected %s.OPTION=VALUE, not '%.*s'", v->ops->name,
                        v->ops->name, (int)len, text);
    snprintf(name, sizeof name, "%.*s", (int)name_len, text);
    snprintf(value, sizeof value, "%.*s", (int)(len - name_len - 1), equals + 1);
    return model_set(v->ops, v->options, name, value, err);
}

static enum pal_status apply_sets(const struct job *job, const struct variant *v,
                                  struct pal_error *err)
{
    size_t len = strlen(v->ops->name);
    for (size_t i = 0; i < job->set_count; i++) {
        const char *text = job->sets[i].text;
        if (strncmp(text, v->ops->name, len) != 0 || text[len] != '.')
            continue;
        enum pal_status st = set_option(v, text + len + 1, strlen(text + len + 1), err);
        if (st)
            return st;
    }
    return PAL_OK;
}

/* "als+factors=128+epochs=8", len bytes of it. A '+' before a letter begins an option, so that
 * 1e+3 stays a number. */
static enum pal_status add_variant(struct job *job, struct plan *p, const char *text, size_t len,
                                   struct pal_error *err)
{
    char name[64];
    size_t name_len = 0;
    while (name_len < len && text[name_len] != '+')
        name_len++;
    snprintf(name, sizeof name, "%.*s", (int)name_len, text);
    if (p->count == PLAN_MOST)
        return pal_fail(err, PAL_EUSAGE, "more than %d models at once", PLAN_MOST);
    struct variant *v = &p->variants[p->count];
    enum pal_status st = plan_ops(name, &v->ops, err);
    if (st)
        return st;
    v->label = arena_text(&job->arena, text, len);
    v->options = arena_zero(&job->arena, 1, v->ops->options_size ? v->ops->options_size : 1);
    if (!v->label || !v->options)
        return pal_no_memory(err);
    opt_defaults(&v->ops->options, v->options);
    st = apply_sets(job, v, err);
    for (size_t at = name_len; at < len && !st;) {
        size_t end = ++at;
        while (end < len && !(text[end] == '+' && isalpha((unsigned char)text[end + 1])))
            end++;
        st = set_option(v, text + at, end - at, err);
        at = end;
    }
    p->count += st == PAL_OK;
    return st;
}

static uint64_t memory_there(void)
{
    long pages = sysconf(_SC_AVPHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : UINT64_MAX;
}

static bool fits(const struct variant *v, const struct dataset *d, uint64_t memory)
{
    uint64_t limit = memory ? memory : memory_there() / 2;
    return v->ops->memory(v->options, d->all.users, d->all.items, interactions_count(&d->all)) <
           limit;
}

/* Past this many items the square of them is not what one wants by default: minutes of work. */
enum { EASE_ITEMS = 12000 };

/* Rows may be there with nothing in them, as for Open Bandit's items. */
static bool has_text(const struct items *items)
{
    for (uint32_t i = 0; i < items->titles.count; i++)
        if (*texts_at(&items->titles, i))
            return true;
    return items->categories.names.count || items->tags.names.count;
}

bool plan_suits(const char *model, const struct dataset *d)
{
    if (strcmp(model, "content") == 0)
        return has_text(&d->items);
    return strcmp(model, "ease") != 0 || d->all.items <= EASE_ITEMS;
}

/* als always; popular to fill up for those who come without a history. */
static enum pal_status default_plan(struct job *job, const struct dataset *d, uint64_t memory,
                                    struct plan *p, struct pal_error *err)
{
    static const char *const names[] = {"als", "ease", "popular", "content"};
    for (size_t i = 0; i < 4; i++) {
        if (!plan_suits(names[i], d))
            continue;
        enum pal_status st = add_variant(job, p, names[i], strlen(names[i]), err);
        if (st)
            return st;
        if (i == 1 && !fits(&p->variants[p->count - 1], d, memory))
            p->count--;
    }
    return PAL_OK;
}

/* Each --set names a model that there is, and one given as a flag a model that is trained. */
static enum pal_status check_sets(const struct job *job, const struct plan *p,
                                  struct pal_error *err)
{
    for (size_t i = 0; i < job->set_count; i++) {
        const char *text = job->sets[i].text;
        char name[64];
        size_t len = strcspn(text, ".="), at = 0;
        if (text[len] != '.' || len >= sizeof name)
            return pal_fail(err, PAL_EUSAGE, "--set %s: expected MODEL.OPTION=VALUE", text);
        snprintf(name, sizeof name, "%.*s", (int)len, text);
        bool from_file = job->sets[i].origin != FROM_FLAG;
        if (strcmp(name, "synth") == 0 || (from_file && serving_table(name)))
            continue;
        const struct model_ops *ops;
        enum pal_status st = plan_ops(name, &ops, err);
        if (st)
            return pal_within(err, st, "--set %s", text);
        while (at < p->count && p->variants[at].ops != ops)
            at++;
        if (at == p->count && !from_file)
            return pal_fail(err, PAL_EUSAGE, "--set %s: %s is not among the models asked for", text,
                            name);
    }
    return PAL_OK;
}

/* Each of the names, with commas between, is a variant of p. */
static enum pal_status add_names(struct job *job, struct plan *p, const char *names,
                                 struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (const char *at = names; *at && !st;) {
        size_t len = strcspn(at, ",");
        if (len)
            st = add_variant(job, p, at, len, err);
        at += len + (at[len] == ',');
    }
    if (!st && !p->count)
        st = pal_fail(err, PAL_EUSAGE, "--model names no model: see palate help models");
    return st;
}

enum pal_status plan_check(struct job *job, const char *names, struct pal_error *err)
{
    struct plan p = {arena_zero(&job->arena, PLAN_MOST, sizeof(struct variant)), 0};
    return p.variants ? add_names(job, &p, names, err) : pal_no_memory(err);
}

enum pal_status plan_make(struct job *job, const char *names, const struct dataset *d,
                          uint64_t memory, struct plan *out, struct pal_error *err)
{
    struct plan p = {arena_zero(&job->arena, PLAN_MOST, sizeof(struct variant)), 0};
    if (!p.variants)
        return pal_no_memory(err);
    enum pal_status st =
        names ? add_names(job, &p, names, err) : default_plan(job, d, memory, &p, err);
    if (!st)
        st = check_sets(job, &p, err);
    if (!st)
        *out = p;
    return st;
}

enum pal_status plan_fit(struct job *job, const struct variant *v, const struct training *t,
                         uint64_t memory, struct model **out, struct pal_error *err)
{
    progress_label(&job->progress, v->label);
    enum pal_status st = model_fit(v->ops, v->options, t, memory, &job->run, out, err);
    if (st && st != PAL_EINTERRUPTED && !strstr(err->message, v->label))
        return pal_within(err, st, "%s", v->label);
    return st;
}

void put_options(const struct variant *v, struct str *out)
{
    struct str is = {0};
    for (size_t i = 0; i < v->ops->options.count; i++) {
        const struct opt *row = &v->ops->options.rows[i];
        str_clear(&is);
        opt_show(row, v->options, &is);
        if (row->initial && strcmp(str_text(&is), row->initial) != 0)
            str_fmt(out, "%s%s=%s", out->len ? " " : "", row->name, str_text(&is));
    }
    out->failed |= is.failed;
    str_done(&is);
}
