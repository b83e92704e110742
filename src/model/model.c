/* The table of models, and what is the same for all of them. */
#include "model/model.h"
#include "model/memory.h"
#include "model/models.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* In the order of help and of tables of results. */
static const struct model_ops *const table[] = {
    &model_random,   &model_popular,  &model_trending, &model_habit, &model_knn,
    &model_together, &model_ease,     &model_slim,     &model_graph, &model_als,
    &model_bpr,      &model_item2vec, &model_svd,      &model_svdpp, &model_content,
};

const struct model_ops *model_at(size_t i)
{
    return i < sizeof table / sizeof table[0] ? table[i] : NULL;
}

const struct model_ops *model_find(const char *name)
{
    for (size_t i = 0; model_at(i); i++)
        if (strcmp(model_at(i)->name, name) == 0)
            return model_at(i);
    return NULL;
}

enum pal_status model_named(const char *name, const struct model_ops **out, struct pal_error *err)
{
    const struct model_ops *ops = model_find(name);
    char names[256] = "";
    if (ops) {
        *out = ops;
        return PAL_OK;
    }
    for (size_t i = 0, used = 0; model_at(i) && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 model_at(i)->name);
    return pal_fail(err, PAL_EUSAGE, "there is no model '%s': use one of %s", name, names);
}

enum pal_status model_set(const struct model_ops *ops, void *options, const char *name,
                          const char *value, struct pal_error *err)
{
    struct pal_error why;
    if (opt_set(&ops->options, options, name, value, &why) == PAL_OK)
        return PAL_OK;
    if (opt_find(&ops->options, name))
        return pal_fail(err, PAL_EUSAGE, "%s: %s", ops->name, why.message);
    static const char generic[] = "there is no option ";
    if (ops->options.count == 0)
        return pal_fail(err, PAL_EUSAGE, "%s has no options, so there is no '%s'", ops->name, name);
    const char *rest = why.message;
    if (strncmp(rest, generic, strlen(generic)) == 0)
        rest += strlen(generic);
    return pal_fail(err, PAL_EUSAGE, "%s has no option %s", ops->name, rest);
}

/* Refuses what would not fit, before anything is allocated. */
static enum pal_status check_memory(const struct model_ops *ops, const void *options,
                                    const struct training *t, uint64_t limit, struct pal_error *err)
{
    char need_text[MEMORY_TEXT], have_text[MEMORY_TEXT], items[MEMORY_TEXT];
    uint64_t have = limit ? limit : memory_available();
    const struct csr *X = &t->by_user;
    uint64_t need = ops->memory_for ? ops->memory_for(options, X)
                                    : ops->memory(options, X->rows, X->cols, csr_entries(X));
    if (need <= have)
        return PAL_OK;
    const char *other = strcmp(ops->name, "als") == 0 ? "take fewer factors"
                        : ops->can & MODEL_RATES      ? "take fewer samples or factors"
                                                      : "use als";
    return pal_fail(err, PAL_ENOMEM, "%s would take %s for %s items, %s are %s: %s%s", ops->name,
                    memory_text(need_text, need), memory_count(items, t->by_user.cols),
                    memory_text(have_text, have), limit ? "allowed" : "available", other,
                    limit ? ", or raise --memory" : "");
}

struct model *model_make(const struct model_ops *ops, const void *options)
{
    struct model *m = mem_zero(1, ops->model_size);
    void *copy = mem_zero(1, ops->options_size);
    if (!m || !copy) {
        mem_free(m);
        mem_free(copy);
        return NULL;
    }
    if (options)
        memcpy(copy, options, ops->options_size);
    else
        opt_defaults(&ops->options, copy);
    m->ops = ops;
    m->options = copy;
    return m;
}

enum pal_status model_fit(const struct model_ops *ops, const void *options,
                          const struct training *t, uint64_t memory_limit, const struct run *run,
                          struct model **out, struct pal_error *err)
{
    assert(t->by_user.cols == t->items->ids.count);
    if (t->items->ids.count == 0)
        return pal_fail(err, PAL_EUSAGE, "there are no items to train %s on", ops->name);
    struct model *m = model_make(ops, options);
    if (!m)
        return pal_no_memory(err);
    enum pal_status st = check_memory(ops, m->options, t, memory_limit, err);
    if (st == PAL_OK)
        st = intern_copy(&t->items->ids, &m->ids, err);
    if (st == PAL_OK)
        st = run_step(run, "training", 0, 0, err);
    if (st == PAL_OK)
        st = ops->fit(m, t, run, err);
    if (st != PAL_OK) {
        model_free(m);
        return st;
    }
    *out = m;
    return PAL_OK;
}

void model_free(struct model *m)
{
    if (!m)
        return;
    if (m->ops->done)
        m->ops->done(m);
    intern_done(&m->ids);
    str_done(&m->card);
    tensors_close(m->file);
    mem_free(m->options);
    mem_free(m);
}

enum pal_status model_score(const struct model *m, const struct history *h, size_t n, float *scores,
                            struct arena *tmp, struct pal_error *err)
{
    return m->ops->score(m, h, n, scores, tmp, err);
}

enum pal_status model_top(const struct model *m, const struct history *h, const uint8_t *skip,
                          size_t k, struct arena *tmp, struct scored *out, size_t *count,
                          struct pal_error *err)
{
    uint32_t n = model_items(m);
    enum pal_status st = PAL_OK;
    bool done = false;
    if (m->ops->retrieve)
        st = m->ops->retrieve(m, h, skip, k, tmp, out, count, &done, err);
    if (st != PAL_OK || done)
        return st;
    float *scores = arena_alloc(tmp, n, sizeof *scores);
    if (!scores)
        return pal_no_memory(err);
    st = m->ops->score(m, h, 1, scores, tmp, err);
    if (st != PAL_OK)
        return st;
    if (skip)
        topk_hide(scores, skip, n, scores);
    *count = topk(scores, n, k, out);
    return PAL_OK;
}

enum pal_status model_similar(const struct model *m, uint32_t item, size_t k, struct arena *tmp,
                              struct scored *out, size_t *count, struct pal_error *err)
{
    uint32_t n = model_items(m);
    if (!(m->ops->can & MODEL_SIMILAR))
        return pal_fail(err, PAL_EUNSUPPORTED, "%s can't tell which items are similar",
                        m->ops->name);
    assert(item < n);
    enum pal_status st = PAL_OK;
    bool done = false;
    if (m->ops->nearest)
        st = m->ops->nearest(m, item, k, tmp, out, count, &done, err);
    if (st != PAL_OK || done)
        return st;
    float *scores = arena_alloc(tmp, n, sizeof *scores);
    if (!scores)
        return pal_no_memory(err);
    st = m->ops->similar(m, item, scores, tmp, err);
    if (st != PAL_OK)
        return st;
    scores[item] = -INFINITY;
    *count = topk(scores, n, k, out);
    return PAL_OK;
}

enum pal_status model_rate(const struct model *m, const struct history *h, const uint32_t *item,
                           size_t n, float *stars, struct arena *tmp, struct pal_error *err)
{
    if (!(m->ops->can & MODEL_RATES))
        return pal_fail(err, PAL_EUNSUPPORTED, "%s does not predict ratings", m->ops->name);
    return m->ops->rate(m, h, item, n, stars, tmp, err);
}

enum pal_status model_explain(const struct model *m, const struct history *h, uint32_t item,
                              float *part, struct arena *tmp, struct pal_error *err)
{
    if (!(m->ops->can & MODEL_EXPLAIN))
        return pal_fail(err, PAL_EUNSUPPORTED, "%s can't tell why", m->ops->name);
    assert(item < model_items(m));
    return m->ops->explain(m, h, item, part, tmp, err);
}
