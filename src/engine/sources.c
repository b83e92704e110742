/* Where candidates come from: the options that say so, and the models joined with the catalog. */
#include "engine/pipeline_inside.h"

#include "base/mem.h"
#include "base/text.h"

#include <string.h>

static const struct opt rows[] = {
    {"sources", OPT_TEXT, offsetof(struct pipeline_options, sources),
     "als:100 ease:50 content:50 popular:20", 0, 0, OPT_LINEAR, "SOURCE:QUOTA…",
     "where recommendations come from, and how many candidates each gives"},
    {"newcomers", OPT_TEXT, offsetof(struct pipeline_options, newcomers), "bandit:50 popular:50", 0,
     0, OPT_LINEAR, "SOURCE:QUOTA…", "the same for users who liked nothing yet"},
    {"ranker", OPT_CHOICE, offsetof(struct pipeline_options, ranker), "auto", 0, 0, OPT_LINEAR,
     "auto|blend|trees|svd",
     "what orders candidates: reciprocal ranks, trees trained for it, or those ranks with the "
     "stars that a rating model expects; auto: trees where the version has them"},
    {"explore", OPT_REAL, offsetof(struct pipeline_options, explore), "0.1", 0, 1, OPT_LINEAR, NULL,
     "chance of each slot to try out what the bandit draws"},
    {"diversity", OPT_REAL, offsetof(struct pipeline_options, diversity), "0.1", 0, 1, OPT_LINEAR,
     NULL, "0 = by relevance alone, 1 = by difference alone"},
    {"category_cap", OPT_INT, offsetof(struct pipeline_options, category_cap), "0", 0, 1000,
     OPT_LINEAR, NULL, "items of a list that may share a category; 0 = no cap"},
    {"again", OPT_BOOL, offsetof(struct pipeline_options, again), "no", 0, 0, OPT_LINEAR, NULL,
     "recommend what was seen already, too"},
    {"ignored", OPT_REAL, offsetof(struct pipeline_options, ignored), "0.5", 0, 1, OPT_LINEAR, NULL,
     "what is left of an item's score each time its user was shown it and left it; 1 = all"},
    {"ignored_days", OPT_REAL, offsetof(struct pipeline_options, ignored_days), "30", 0, 1e5,
     OPT_LINEAR, NULL, "half-life of that; 0 = for good"},
};

const struct opt_table pipeline_option_table = {rows, sizeof rows / sizeof rows[0]};

/* ---- Quota lists ---- */

static const struct {
    const char *name;
    enum source_kind kind;
} others[] = {
    {"bandit", FROM_BANDIT},
    {"popular", FROM_POPULAR}, /* models too, but counts as they come in are fresher */
    {"trending", FROM_TRENDING},
    {"random", FROM_RANDOM},
};

bool quota_named(const char *name, size_t len, struct quota *out)
{
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strlen(others[i].name) == len && memcmp(others[i].name, name, len) == 0) {
            *out = (struct quota){.kind = others[i].kind, .name = others[i].name};
            return true;
        }
    for (size_t i = 0; model_at(i); i++)
        if (strlen(model_at(i)->name) == len && memcmp(model_at(i)->name, name, len) == 0) {
            *out = (struct quota){.kind = FROM_MODEL, .name = model_at(i)->name};
            return true;
        }
    return false;
}

static enum pal_status no_such_source(const char *option, const char *name, size_t len,
                                      struct pal_error *err)
{
    struct str names = {0};
    for (size_t i = 0; model_at(i); i++)
        str_fmt(&names, "%s, ", model_at(i)->name);
    enum pal_status st = pal_fail(err, PAL_EUSAGE, "%s: there is no source '%.*s': use %sor bandit",
                                  option, (int)(len < 40 ? len : 40), name, str_text(&names));
    str_done(&names);
    return st;
}

static enum pal_status read_quota(const char *word, size_t len, const char *option,
                                  struct quota *out, struct pal_error *err)
{
    const char *colon = memchr(word, ':', len);
    size_t name = colon ? (size_t)(colon - word) : len;
    uint64_t most;
    if (!quota_named(word, name, out))
        return no_such_source(option, word, name, err);
    if (!colon || !text_u64(colon + 1, word + len, &most) || most < 1 || most > QUOTA_MOST)
        return pal_fail(err, PAL_EUSAGE,
                        "%s: '%.*s' must be a source, a colon and a quota of 1 to %d, such as "
                        "%s:50",
                        option, (int)(len < 40 ? len : 40), word, QUOTA_MOST, out->name);
    out->most = (size_t)most;
    return PAL_OK;
}

enum pal_status quotas_parse(const char *text, const char *option, struct quota *out, size_t *count,
                             struct pal_error *err)
{
    size_t n = 0;
    for (const char *p = text ? text : "";;) {
        p += strspn(p, " ,\t");
        size_t len = strcspn(p, " ,\t");
        if (len == 0)
            break;
        if (n == SOURCES_MOST)
            return pal_fail(err, PAL_EUSAGE, "%s: more than %d sources", option, SOURCES_MOST);
        enum pal_status st = read_quota(p, len, option, &out[n], err);
        if (st != PAL_OK)
            return st;
        for (size_t i = 0; i < n; i++)
            if (out[i].name == out[n].name)
                return pal_fail(err, PAL_EUSAGE, "%s: %s is there twice", option, out[n].name);
        n++;
        p += len;
    }
    if (n == 0)
        return pal_fail(err, PAL_EUSAGE, "%s: at least one source is needed, such as bandit:50",
                        option);
    *count = n;
    return PAL_OK;
}

enum pal_status pipeline_check(const struct pipeline_options *o, struct pal_error *err)
{
    struct quota quota[SOURCES_MOST];
    size_t count;
    enum pal_status st = quotas_parse(o->sources, "sources", quota, &count, err);
    return st == PAL_OK ? quotas_parse(o->newcomers, "newcomers", quota, &count, err) : st;
}

/* ---- Models and the catalog ---- */

enum pal_status source_open(const struct model *model, const struct catalog *c, struct source *out,
                            struct pal_error *err)
{
    uint32_t items = model_items(model), mapped = catalog_count(c);
    uint32_t *to_catalog = mem_alloc(items, sizeof *to_catalog);
    uint32_t *to_model = mem_alloc(mapped, sizeof *to_model);
    uint8_t *skip = mem_alloc(items, 1);
    if (!to_catalog || !to_model || !skip) {
        mem_free(to_catalog);
        mem_free(to_model);
        mem_free(skip);
        return pal_no_memory(err);
    }
    for (uint32_t i = 0; i < mapped; i++)
        to_model[i] = INTERN_NONE;
    for (uint32_t i = 0; i < items; i++) {
        uint32_t item =
            intern_find(catalog_ids(c), intern_text(&model->ids, i), intern_len(&model->ids, i));
        to_catalog[i] = item;
        skip[i] = item == INTERN_NONE || !catalog_available(c, item);
        if (item != INTERN_NONE)
            to_model[item] = i;
    }
    *out = (struct source){model, to_catalog, to_model, mapped, skip};
    return PAL_OK;
}

void source_close(struct source *s)
{
    mem_free((void *)(uintptr_t)s->to_catalog);
    mem_free((void *)(uintptr_t)s->to_model);
    mem_free(s->skip);
    memset(s, 0, sizeof *s);
}

void source_note(struct source *s, const struct catalog *c, uint32_t number)
{
    uint32_t item = source_number(s, number);
    if (item != INTERN_NONE && s->skip)
        s->skip[item] = !catalog_available(c, number);
}
