/* See snapshot.h. */
#include "engine/snapshot.h"

#include "base/file.h"
#include "base/mem.h"
#include "rank/rank.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { FIND_MOST = 2048 }; /* items looked up in one go */

static void add_model(struct model_set *s, struct model *m)
{
    int64_t size = m->file ? file_size(tensors_path(m->file)) : 0;
    s->bytes += size > 0 ? (uint64_t)size : 0;
    s->model[s->count++] = m;
    s->items = s->items > model_items(m) ? s->items : model_items(m);
}

enum pal_status model_set_load(const char *dir, uint32_t version, int64_t now_ms,
                               struct model_set **out, struct pal_error *err)
{
    struct version_names names;
    enum pal_status st = version_models(dir, &names, err);
    if (st != PAL_OK)
        return st;
    struct model_set *s = mem_zero(1, sizeof *s);
    if (!s)
        return pal_no_memory(err);
    /* one that doesn't say its age counts as new: it must not look as if there were none */
    int64_t created_ms = names.created_s > 0 ? names.created_s * 1000 : now_ms;
    *s = (struct model_set){
        .users = 1, .version = version, .created_ms = created_ms, .loaded_ms = now_ms};
    for (size_t i = 0; i < names.count && st == PAL_OK; i++) {
        struct model *m = NULL;
        st = version_load(dir, names.name[i], &m, err);
        if (st == PAL_OK)
            add_model(s, m);
    }
    version_attach(s->model, s->count, &s->unattached);
    if (st != PAL_OK) {
        model_set_drop(s);
        return st;
    }
    *out = s;
    return PAL_OK;
}

enum pal_status model_set_of(struct model *m, int64_t now_ms, struct model_set **out,
                             struct pal_error *err)
{
    struct model_set *s = mem_zero(1, sizeof *s);
    if (!s)
        return pal_no_memory(err);
    *s = (struct model_set){.users = 1, .created_ms = now_ms, .loaded_ms = now_ms};
    s->model[0] = m;
    s->count = 1;
    s->items = model_items(m);
    *out = s;
    return PAL_OK;
}

void model_set_drop(struct model_set *s)
{
    if (!s || --s->users)
        return;
    for (size_t i = 0; i < s->count; i++)
        model_free(s->model[i]);
    mem_free(s);
}

static enum pal_status join(struct source *s, snapshot_find_fn *find, void *ctx, uint32_t *unmapped,
                            struct pal_error *err)
{
    const struct intern *ids = &s->model->ids;
    uint32_t *number = mem_alloc(ids->count, sizeof *number);
    uint32_t *back = mem_alloc(s->mapped, sizeof *back);
    s->to_catalog = number;
    s->to_model = back;
    s->skip = mem_alloc(ids->count, 1);
    if (!number || !back || !s->skip)
        return pal_no_memory(err);
    memset(back, 0xff, s->mapped * sizeof *back);
    for (uint32_t from = 0; from < ids->count; from += FIND_MOST) {
        uint32_t to = ids->count - from > FIND_MOST ? from + FIND_MOST : ids->count;
        if (!find(ctx, ids, from, to, number, s->skip))
            return pal_fail(err, PAL_EINTERRUPTED, "everything was forgotten meanwhile");
    }
    for (uint32_t i = 0; i < ids->count; i++) {
        if (number[i] < s->mapped) {
            back[number[i]] = i;
            continue;
        }
        number[i] = INTERN_NONE; /* unknown, or newer than what is being joined */
        s->skip[i] = 1;
        ++*unmapped;
    }
    return PAL_OK;
}

enum pal_status snapshot_new(struct model_set *base, struct model_set *content, uint32_t mapped,
                             snapshot_find_fn *find, void *ctx, struct snapshot **out,
                             struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    struct snapshot *s = mem_zero(1, sizeof *s);
    if (!s)
        return pal_no_memory(err);
    if (base)
        (s->base = base)->users++;
    if (content)
        (s->content = content)->users++;
    for (size_t i = 0; base && i < base->count && st == PAL_OK; i++) {
        if (s->count == SOURCES_MOST - 1 || model_ranks(base->model[i]) ||
            (content && base->model[i]->ops == content->model[0]->ops))
            continue;
        struct source *to = &s->source[s->count++];
        *to = (struct source){.model = base->model[i], .mapped = mapped};
        st = join(to, find, ctx, &s->unmapped, err);
    }
    for (size_t i = 0; base && i < base->count && st == PAL_OK && !s->ranker.model; i++)
        if (model_ranks(base->model[i]) && ranker_ready(base->model[i])) {
            uint32_t again = 0; /* the sources have counted these */
            s->ranker = (struct source){.model = base->model[i], .mapped = mapped};
            st = join(&s->ranker, find, ctx, &again, err);
        }
    if (content && st == PAL_OK) {
        struct source *to = &s->source[s->count++];
        *to = (struct source){.model = content->model[0], .mapped = mapped};
        st = join(to, find, ctx, &s->unmapped, err);
    }
    if (st != PAL_OK) {
        snapshot_free(s);
        return st;
    }
    *out = s;
    return PAL_OK;
}

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        source_close(&s->source[i]);
    source_close(&s->ranker);
    model_set_drop(s->base);
    model_set_drop(s->content);
    mem_free(s);
}

void snapshot_note(struct snapshot *s, const struct catalog *c, uint32_t number)
{
    for (size_t i = 0; i < s->count; i++)
        source_note(&s->source[i], c, number);
}

void snapshot_note_all(struct snapshot *s, const struct catalog *c)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct source *from = &s->source[i];
        for (uint32_t item = 0; item < model_items(from->model); item++)
            from->skip[item] = from->to_catalog[item] == INTERN_NONE ||
                               !catalog_available(c, from->to_catalog[item]);
    }
}
