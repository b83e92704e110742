/* See pending.h. */
#include "cli/pending.h"

#include "base/file.h"
#include "base/mem.h"
#include "engine/drain.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static enum pal_status take(void *ctx, const struct journal_entry *e, struct pal_error *err)
{
    struct pending *p = ctx;
    void *copy = arena_alloc(&p->bytes, e->size, 1);
    if (!copy || mem_grow(&p->change, &p->cap, p->count + 1, sizeof *p->change))
        return pal_no_memory(err);
    memcpy(copy, e->data, e->size);
    struct store_change *c = &p->change[p->count];
    *c = (struct store_change){.seq = e->seq};
    enum pal_status st = record_decode(e->kind, copy, e->size, &c->record, err);
    if (st == PAL_OK)
        p->count++;
    return st;
}

/* Where the journal leads into a stream: what was published is not on its way from here any more.
 * The rest may be published and stored while the store is read, so its events get the ids that they
 * will have there (see engine/publish.h). */
static enum pal_status pass_published(const char *dir, uint64_t *position, char *name,
                                      struct pal_error *err)
{
    uint64_t published = 0;
    bool there = false;
    enum pal_status st = publish_read(dir, &published, &there, err);
    *name = 0;
    if (st != PAL_OK || !there)
        return st;
    *position = published > *position ? published : *position;
    return journal_identity(dir, name, err);
}

static enum pal_status give_ids(struct pending *p, const char *name, struct pal_error *err)
{
    for (size_t i = 0; i < p->count; i++) {
        struct record *r = &p->change[i].record;
        if (r->kind != RECORD_EVENT || (r->event.event_id && *r->event.event_id))
            continue;
        char *id = arena_alloc(&p->bytes, DRAIN_ID, 1);
        if (!id)
            return pal_no_memory(err);
        drain_id(name, p->change[i].seq, id);
        r->event.event_id = id;
    }
    return PAL_OK;
}

enum pal_status pending_read(const struct job *job, struct store *s, struct pending *out,
                             struct pal_error *err)
{
    char beside[PATH_MAX], name[JOURNAL_IDENTITY], publisher[JOURNAL_IDENTITY];
    const char *dir = job->set.journal, *file = store_path(s);
    uint64_t position = 0;
    enum pal_status st = PAL_OK;
    if (!dir) {
        int n = snprintf(beside, sizeof beside, "%s-journal.d", file ? file : "palate");
        if (n < 0 || (size_t)n >= sizeof beside)
            return pal_fail(err, PAL_EUSAGE, "the path %.60s… is too long", file);
        dir = beside;
    }
    if (store_shared(s)) { /* it counts each journal by itself */
        if (!file_is_dir(dir))
            return PAL_OK;
        st = journal_identity(dir, name, err);
        st = st ? st : store_source(s, name, err);
    }
    st = st ? st : store_position(s, &position, err);
    st = st ? st : pass_published(dir, &position, publisher, err);
    st = st ? st : journal_scan(dir, position + 1, take, out, err);
    return st || !*publisher ? st : give_ids(out, publisher, err);
}

void pending_done(struct pending *p)
{
    mem_free(p->change);
    arena_done(&p->bytes);
}
