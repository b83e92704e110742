/* Data out of a running server's store (see source.h).
 *
 * The journal is read before the store: what the server's drain carries over in the meantime is
 * then in the store for certain, if not in both, and the store passes over what it has. Read the
 * other way round, records could leave the journal unseen. */
#include "cli/source.h"

#include "base/mem.h"
#include "journal/journal.h"
#include "store/store.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

bool source_is_store(const char *path)
{
    return strncmp(path, "sqlite:", 7) == 0;
}

enum pal_status source_choose(struct job *job, struct pal_error *err)
{
    enum origin data = job->origin[option_index("data", 4)];
    enum origin store = job->origin[option_index("store", 5)];
    if (store == FROM_DEFAULT || store < data)
        return PAL_OK;
    if (data == FROM_FLAG)
        return pal_fail(err, PAL_EUSAGE, "give --data or --store, not both");
    return job_set(job, option_index("data", 4), job->set.store, store, NULL, err);
}

/* Changes that the store doesn't have yet; their texts point into the arena. */
struct pending {
    struct arena bytes;
    struct store_change *change; /* (count) */
    size_t count, cap;
};

static enum pal_status take(void *ctx, const struct journal_entry *e, struct pal_error *err)
{
    struct pending *p = ctx;
    void *copy = arena_alloc(&p->bytes, e->size, 1);
    if (!copy || mem_grow(&p->change, &p->cap, p->count + 1, sizeof *p->change))
        return pal_no_memory(err);
    memcpy(copy, e->data, e->size);
    struct store_change *c = &p->change[p->count];
    c->seq = e->seq;
    enum pal_status st = record_decode(e->kind, copy, e->size, &c->record, err);
    if (st == PAL_OK)
        p->count++;
    return st;
}

static enum pal_status read_journal(struct job *job, struct store *s, struct pending *p,
                                    struct pal_error *err)
{
    char beside[PATH_MAX];
    const char *dir = job->set.journal, *file = store_path(s);
    uint64_t position = 0;
    if (!dir && !file)
        return PAL_OK;
    if (!dir) {
        int n = snprintf(beside, sizeof beside, "%s-journal.d", file);
        if (n < 0 || (size_t)n >= sizeof beside)
            return pal_fail(err, PAL_EUSAGE, "the path %.60s… is too long", file);
        dir = beside;
    }
    enum pal_status st = store_position(s, &position, err);
    if (!st)
        st = journal_scan(dir, position + 1, take, p, err);
    return st;
}

enum pal_status source_load_store(struct job *job, const char *url, struct dataset **out,
                                  struct pal_error *err)
{
    struct store *s = NULL;
    struct pending p = {0};
    uint64_t position = 0;
    arena_init(&p.bytes);
    enum pal_status st = store_open(url, true, &s, err);
    if (!st)
        st = run_step(&job->run, "loading", 0, 0, err);
    if (!st)
        st = read_journal(job, s, &p, err);
    if (!st)
        st = store_dataset(s, p.change, p.count, &job->run, out, &position, err);
    if (!st) {
        uint64_t last = p.count ? p.change[p.count - 1].seq : 0;
        job->position = last > position ? last : position;
    }
    store_close(s);
    mem_free(p.change);
    arena_done(&p.bytes);
    return st;
}
