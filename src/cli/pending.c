/* See pending.h. */
#include "cli/pending.h"

#include "base/file.h"
#include "base/mem.h"
#include "journal/journal.h"

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

enum pal_status pending_read(const struct job *job, struct store *s, struct pending *out,
                             struct pal_error *err)
{
    char beside[PATH_MAX], name[JOURNAL_IDENTITY];
    const char *dir = job->set.journal, *file = store_path(s);
    uint64_t position = 0;
    enum pal_status st = PAL_OK;
    if (job->set.stream && *job->set.stream)
        return PAL_OK; /* what left the journal is in the stream, not yet in the store */
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
    return st ? st : journal_scan(dir, position + 1, take, out, err);
}

void pending_done(struct pending *p)
{
    mem_free(p->change);
    arena_done(&p->bytes);
}
