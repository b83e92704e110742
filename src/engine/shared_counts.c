/* What the bandit counts, together. The state holds the sums of all processes; memory holds what
 * the state said last plus what was counted here and is not there yet. About once a second the
 * latter is carried there, in batches that count once however often they are sent, and whatever
 * changed there is read. So nobody adds what another has added: memory is always put, never added
 * to, by what is read.
 *
 *     fresh    counted here since the last batch
 *     flying   the batch on its way, until the state has said that it has it
 *
 * A batch says up to which record of our journal it counts: what a killed process finds in its
 * journal after a restart and the state has already is passed over.
 *
 * A state that has no counts at all (it is new, or was emptied) gets them from one process, who has
 * the lock: all that it has in memory. Others' are reset to that; what they counted and had not
 * sent yet stays theirs to send. */
#include "base/clock.h"
#include "engine/live_inside.h"

#include "base/mem.h"

#include <string.h>
#include <time.h>

enum { PAGE = 1000, AGAIN_MS = 10000 };

struct part {
    struct intern ids;
    struct bandit_sums *sums; /* (ids.count) */
    size_t cap;
};

struct shared_counts {
    struct live *l;
    struct state_fading fading;
    uint64_t generation, mark; /* the thread's own, as is what stands up to the lock */
    uint64_t batch, sent_seq;
    uint64_t whole_batch; /* once the state has this one of ours it has all that flies */
    uint32_t items; /* of the catalog, when an item of the state was not among them; 0 = none was */
    int64_t again_ms; /* not before: read all of them again */
    struct arena tmp;
    atomic_bool known;     /* memory has what the state has */
    atomic_bool whole;     /* memory has what the store has */
    atomic_ullong skip_to; /* own records up to this one are counted there */

    pthread_mutex_t lock; /* for what follows; taken under world */
    struct part fresh;
    uint64_t seq, flying_seq; /* the last of our records in them */
    bool drop;                /* what flies is forgotten */

    struct part flying; /* only the thread changes it */
};

/* ---- Parts ---- */

static void part_done(struct part *p)
{
    intern_done(&p->ids);
    mem_free(p->sums);
    *p = (struct part){0};
}

/* NULL when memory is out. */
static struct bandit_sums *part_of(struct part *p, const char *id)
{
    uint32_t number, before = p->ids.count;
    if (mem_grow(&p->sums, &p->cap, (size_t)before + 1, sizeof *p->sums) ||
        intern_add(&p->ids, id, strlen(id), &number, NULL) != PAL_OK)
        return NULL;
    if (number == before)
        p->sums[number] = (struct bandit_sums){0};
    return &p->sums[number];
}

static void join_part(const struct shared_counts *c, const struct part *p, const char *id,
                      struct bandit_sums *to)
{
    uint32_t number = p->ids.count ? intern_find(&p->ids, id, strlen(id)) : INTERN_NONE;
    if (number != INTERN_NONE)
        bandit_join(&c->l->config.bandit, to, &p->sums[number]);
}

/* ---- Counting ---- */

enum pal_status shared_count(struct live *l, const char *item_id, uint32_t number, float weight,
                             bool reward, int64_t time_ms, uint64_t seq, struct pal_error *err)
{
    struct shared_counts *c = l->shared ? l->shared->counts : NULL;
    bool here = l->bandit && number != INTERN_NONE;
    if (!c)
        return here ? bandit_count(l->bandit, number, weight, reward, time_ms, err) : PAL_OK;
    enum pal_status st = PAL_OK;
    uint64_t skip_to = seq ? atomic_load(&c->skip_to) : 0;
    if (skip_to >= seq && seq && atomic_load(&c->known))
        return PAL_OK; /* the state told us of it */
    pthread_mutex_lock(&c->lock);
    if (!seq || skip_to < seq) {
        struct bandit_sums *sums = part_of(&c->fresh, item_id);
        if (sums)
            bandit_add(&l->config.bandit, sums, weight, reward, time_ms);
        else
            st = pal_no_memory(err);
        c->seq = seq ? seq : c->seq;
    }
    if (here && st == PAL_OK)
        st = bandit_count(l->bandit, number, weight, reward, time_ms, err);
    pthread_mutex_unlock(&c->lock);
    return st;
}

bool shared_counts_known(const struct live *l)
{
    return l->shared && l->shared->counts && atomic_load(&l->shared->counts->known);
}

void shared_counts_forget(struct live *l)
{
    struct shared_counts *c = l->shared ? l->shared->counts : NULL;
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    part_done(&c->fresh);
    c->drop = true;
    pthread_mutex_unlock(&c->lock);
}

void shared_counts_whole(struct live *l)
{
    if (l->shared && l->shared->counts)
        atomic_store(&l->shared->counts->whole, true);
}

/* ---- Reading ---- */

static struct bandit_sums as_bandit(const struct state_sums *s)
{
    return (struct bandit_sums){s->success, s->failure, s->popular, s->recent, s->last_ms};
}

static struct state_sums as_state(const struct bandit_sums *s)
{
    return (struct state_sums){s->success, s->failure, s->popular, s->recent, s->last_ms};
}

/* What was counted here and is nowhere else, of an item of which the state said `base`. Under the
 * lock. */
static void put_one(struct shared_counts *c, const char *id, struct bandit_sums base)
{
    struct live *l = c->l;
    struct pal_error err;
    uint32_t number = catalog_find(l->catalog, id);
    if (number == INTERN_NONE) {
        c->items = catalog_count(l->catalog) + !catalog_count(l->catalog);
        return;
    }
    if (!c->drop)
        join_part(c, &c->flying, id, &base);
    join_part(c, &c->fresh, id, &base);
    if (bandit_put(l->bandit, number, &base, &err) != PAL_OK)
        live_say(l, LIVE_ERROR, "what others counted is not known: %s", err.message);
}

static void put_page(struct shared_counts *c, const struct state_counts *got)
{
    live_read_lock(c->l);
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < got->count; i++)
        put_one(c, got->counts[i].item_id, as_bandit(&got->counts[i].sums));
    pthread_mutex_unlock(&c->lock);
    live_unlock(c->l);
}

static void land(struct shared_counts *c)
{
    pthread_mutex_lock(&c->lock);
    part_done(&c->flying);
    pthread_mutex_unlock(&c->lock);
}

/* Memory begins anew with what is ours alone. */
static void begin_generation(struct shared_counts *c)
{
    const struct bandit_sums none = {0};
    live_read_lock(c->l);
    pthread_mutex_lock(&c->lock);
    bandit_forget(c->l->bandit);
    for (uint32_t i = 0; i < c->flying.ids.count && !c->drop; i++)
        put_one(c, intern_text(&c->flying.ids, i), none);
    for (uint32_t i = 0; i < c->fresh.ids.count; i++)
        put_one(c, intern_text(&c->fresh.ids, i), none);
    pthread_mutex_unlock(&c->lock);
    live_unlock(c->l);
}

/* Items that the state has counts of came into the catalog since: all counts are read again. */
static void look_for_items(struct shared_counts *c)
{
    if (!c->items || clock_steady_ms() < c->again_ms)
        return;
    live_read_lock(c->l);
    bool grown = catalog_count(c->l->catalog) != c->items;
    live_unlock(c->l);
    if (!grown)
        return;
    c->items = 0;
    c->mark = 0;
    c->again_ms = clock_steady_ms() + AGAIN_MS;
}

static enum pal_status read_counts(struct shared_counts *c, struct pal_error *err)
{
    struct live *l = c->l;
    struct state_counts got;
    size_t most = live_does(l, ROLE_RECS) ? PAGE : 0;
    enum pal_status st;
    do {
        arena_reset(&c->tmp);
        st = state_counted(l->shared->state, &c->fading, l->name, c->generation, c->mark, most,
                           &c->tmp, &got, err);
        if (st != PAL_OK)
            return st;
        if (got.generation && got.batch >= c->whole_batch)
            land(c); /* it arrived, though its answer did not */
        if (got.generation && got.generation != c->generation && most)
            begin_generation(c);
        c->generation = got.generation;
        c->mark = got.mark;
        if (got.count)
            put_page(c, &got);
    } while (got.count && got.count == most);
    c->sent_seq = got.seq;
    return PAL_OK;
}

/* ---- Sending ---- */

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* What has taken off anew goes in batches from here on, a page each. */
static void number_batches(struct shared_counts *c)
{
    uint64_t now = now_us(), pages = (c->flying.ids.count + PAGE - 1) / PAGE;
    c->batch = c->batch < now ? now : c->batch + 1;
    c->whole_batch = c->batch + (pages ? pages - 1 : 0);
}

/* What is fresh takes off, unless something is still in the air. */
static void take_off(struct shared_counts *c)
{
    pthread_mutex_lock(&c->lock);
    if (c->drop)
        part_done(&c->flying);
    c->drop = false;
    if (!c->flying.ids.count && c->fresh.ids.count) {
        part_done(&c->flying);
        c->flying = c->fresh;
        c->fresh = (struct part){0};
        c->flying_seq = c->seq;
        number_batches(c);
    }
    pthread_mutex_unlock(&c->lock);
}

/* Every page is a batch of its own, and the last one says how far the journal is counted. */
static enum pal_status send_counts(struct shared_counts *c, struct pal_error *err)
{
    struct live *l = c->l;
    struct state_count page[PAGE];
    enum pal_status st = PAL_OK;
    take_off(c);
    uint32_t count = c->flying.ids.count; /* nobody else changes it */
    uint64_t batch = c->batch;
    bool taken = true;
    for (uint32_t i = 0; i < count && taken && st == PAL_OK; batch++) {
        uint32_t n = 0;
        for (; n < PAGE && i < count; n++, i++)
            page[n] =
                (struct state_count){intern_text(&c->flying.ids, i), as_state(&c->flying.sums[i])};
        st = state_count_up(l->shared->state, &c->fading, c->generation, l->name, batch,
                            i == count ? c->flying_seq : c->sent_seq, page, n, &taken, err);
    }
    if (st != PAL_OK || !taken)
        return st; /* once more the next time, or to the next generation */
    c->batch = batch;
    land(c);
    return PAL_OK;
}

/* ---- Giving the state all there is ---- */

/* All that memory has, copied; what is fresh is among it and in the air from now on. */
static size_t copy_all(struct shared_counts *c, struct state_count **out)
{
    struct live *l = c->l;
    size_t n = 0;
    live_read_lock(l);
    pthread_mutex_lock(&c->lock);
    uint32_t limit = bandit_limit(l->bandit), items = catalog_count(l->catalog);
    limit = limit < items ? limit : items;
    if (c->drop)
        part_done(&c->flying);
    c->drop = false;
    *out = arena_alloc(&c->tmp, limit, sizeof **out);
    for (uint32_t i = 0; i < limit && *out; i++) {
        struct bandit_sums s = bandit_get(l->bandit, i);
        const char *id = intern_text(catalog_ids(l->catalog), i);
        char *copy = s.last_ms ? arena_text(&c->tmp, id, strlen(id)) : NULL;
        if (copy)
            (*out)[n++] = (struct state_count){copy, as_state(&s)};
    }
    for (uint32_t i = 0; i < c->fresh.ids.count; i++) {
        struct bandit_sums *sums = part_of(&c->flying, intern_text(&c->fresh.ids, i));
        if (sums)
            bandit_join(&l->config.bandit, sums, &c->fresh.sums[i]);
    }
    part_done(&c->fresh);
    c->flying_seq = c->seq;
    number_batches(c);
    pthread_mutex_unlock(&c->lock);
    live_unlock(l);
    return n;
}

static enum pal_status give_all(struct shared_counts *c, struct pal_error *err)
{
    struct live *l = c->l;
    struct state_count *all;
    bool mine = false;
    if (!live_does(l, ROLE_RECS) || !atomic_load(&c->whole))
        return PAL_OK;
    enum pal_status st = state_count_lock(l->shared->state, &c->fading, l->name, &mine, err);
    if (st != PAL_OK || !mine)
        return st;
    arena_reset(&c->tmp);
    size_t count = copy_all(c, &all), at = 0;
    uint64_t generation = 0;
    if (!all)
        return pal_no_memory(err);
    do {
        size_t n = count - at < PAGE ? count - at : PAGE;
        st = state_count_put(l->shared->state, &c->fading, l->name, c->whole_batch, c->flying_seq,
                             all + at, n, at + n == count, &generation, err);
        at += n;
    } while (st == PAL_OK && at < count);
    if (st != PAL_OK || !generation)
        return st;
    land(c);
    c->batch = c->whole_batch;
    c->generation = generation;
    c->mark = 0;
    return PAL_OK;
}

/* ---- One round ---- */

void shared_counts_keep(struct live *l)
{
    struct shared_counts *c = l->shared->counts;
    struct pal_error err;
    enum pal_status st = PAL_OK;
    if (!l->name[0])
        return;                  /* it neither takes in nor answers */
    if (!atomic_load(&c->known)) /* others may have been counted here from the store meanwhile */
        c->mark = 0;
    if (live_does(l, ROLE_RECS))
        look_for_items(c);
    if (c->generation)
        st = send_counts(c, &err);
    if (st == PAL_OK)
        st = read_counts(c, &err);
    if (st == PAL_OK && !c->generation)
        st = give_all(c, &err);
    atomic_store(&c->known, st == PAL_OK && c->generation);
    if (st != PAL_OK)
        shared_fails(l->shared, &err);
}

void shared_counts_begin(struct live *l)
{
    struct shared_counts *c = l->shared->counts;
    struct pal_error err;
    if (!l->name[0])
        return;
    enum pal_status st = read_counts(c, &err);
    atomic_store(&c->known, st == PAL_OK && c->generation);
    /* if nobody can say what is counted there, what the journal holds is not sent */
    atomic_store(&c->skip_to, st == PAL_OK ? c->sent_seq : UINT64_MAX);
}

struct catching_up {
    struct live *l;
    uint64_t last;
};

/* A journal_scan_fn. */
static enum pal_status count_again(void *ctx, const struct journal_entry *e, struct pal_error *err)
{
    const struct catching_up *u = ctx;
    struct live *l = u->l;
    struct record r;
    uint8_t type;
    if (e->seq > u->last)
        return PAL_EINTERRUPTED;
    if (record_decode(e->kind, e->data, e->size, &r, err) != PAL_OK || r.kind != RECORD_EVENT ||
        kinds_add(&l->kinds, r.event.type, &type, err) != PAL_OK)
        return PAL_OK; /* said when it was shown */
    if (r.event.event_id && *r.event.event_id && recent_add(l->recent, r.event.event_id))
        return PAL_OK;
    float weight = kinds_weight(&l->kinds, type, r.event.value);
    uint32_t number = l->catalog ? catalog_find(l->catalog, r.event.item_id) : INTERN_NONE;
    return weight == 0 ? PAL_OK
                       : shared_count(l, r.event.item_id, number, weight, l->kinds.teaches[type],
                                      r.event.time_ms, e->seq, err);
}

enum pal_status shared_counts_catch_up(struct live *l, uint64_t position, struct pal_error *err)
{
    struct catching_up u = {l, position};
    uint64_t from =
        l->shared && atomic_load(&l->shared->counts->known) ? l->shared->counts->sent_seq : 0;
    if (!from || from >= position)
        return PAL_OK;
    enum pal_status st = journal_scan(str_text(&l->journal_dir), from + 1, count_again, &u, err);
    return st == PAL_ENOMEM ? st : PAL_OK; /* what can't be read is told by who opens it */
}

void shared_counts_shown(struct live *l)
{
    if (l->shared)
        atomic_store(&l->shared->counts->skip_to, 0);
}

enum pal_status shared_counts_new(struct live *l, struct shared_counts **out, struct pal_error *err)
{
    const struct bandit_options *o = &l->config.bandit;
    struct shared_counts *c = mem_zero(1, sizeof *c);
    if (!c)
        return pal_no_memory(err);
    c->l = l;
    c->fading = (struct state_fading){o->half_life_days, o->popular_days, o->trending_days};
    arena_init(&c->tmp);
    pthread_mutex_init(&c->lock, NULL);
    *out = c;
    return PAL_OK;
}

void shared_counts_free(struct shared_counts *c)
{
    if (!c)
        return;
    part_done(&c->fresh);
    part_done(&c->flying);
    arena_done(&c->tmp);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}
