/* Profiles against a store made of arrays: what a request reads is at every moment exactly what
 * happened, whatever the drain is doing, whatever was evicted, with the store away and back again.
 *
 * Every event of a user names the next item, 0, 1, 2, …, so that anything missed, doubled or out of
 * order shows. */
#include "profiles_world.h"

/* ---- The race ---- */

struct race {
    struct fake fake;
    struct profiles *p;
    struct happened *log;     /* (EVENTS) */
    atomic_uint written;      /* of log, applied to profiles */
    atomic_uint next[USERS];  /* the item of a user's next event */
    atomic_uint first[USERS]; /* the first item since the last erasure */
    atomic_uchar *erased_at;  /* (USERS, LONG) an erasure came before this item */
    atomic_uint bad;
    atomic_ullong reads;
};

static void *write_events(void *arg)
{
    struct race *r = arg;
    uint64_t x = 7;
    for (uint32_t i = 0; i < EVENTS; i++) {
        char user[16];
        x = x * 6364136223846793005u + 1442695040888963407u;
        struct happened *h = &r->log[i];
        h->seq = i + 1;
        h->user = (uint32_t)(x >> 33) % USERS;
        h->item = atomic_load(&r->next[h->user]);
        h->erase = h->item - atomic_load(&r->first[h->user]) >= ERASE_EVERY;
        user_name(h->user, user);
        if (h->erase) {
            atomic_store(&r->erased_at[h->user * LONG + h->item], 1);
            profiles_erase(r->p, user, h->seq);
            atomic_store(&r->first[h->user], h->item);
        } else {
            like(r->p, user, h->seq, h->item);
            atomic_store(&r->next[h->user], h->item + 1);
        }
        atomic_store(&r->written, i + 1);
        if (i % 64 == 0)
            sched_yield();
    }
    return NULL;
}

static void *drain_events(void *arg)
{
    struct race *r = arg;
    uint64_t x = 3;
    for (uint32_t done = 0; done < EVENTS;) {
        uint32_t to = atomic_load(&r->written);
        if (to == done) {
            sched_yield();
            continue;
        }
        x = x * 6364136223846793005u + 1442695040888963407u;
        if (to - done > 1 + (x >> 40) % 100)
            to = done + 1 + (uint32_t)((x >> 40) % 100);
        bool ok = (x >> 50) % 5 > 0;
        profiles_draining(r->p, to);
        sched_yield();
        pthread_mutex_lock(&r->fake.lock);
        for (uint32_t i = done; ok && i < to; i++)
            fake_apply(&r->fake, &r->log[i]);
        pthread_mutex_unlock(&r->fake.lock);
        sched_yield();
        profiles_drained(r->p, to, ok);
        done = ok ? to : done;
    }
    return NULL;
}

/* One look at a user; false if it is not what happened. */
static bool look(struct race *r, uint32_t user, struct arena *tmp)
{
    char name[16];
    user_name(user, name);
    uint32_t first = atomic_load(&r->first[user]), next = atomic_load(&r->next[user]);
    struct profile_view v = see(r->p, &r->fake, name, 0, tmp);
    if (v.history.n != v.seen_count)
        return false;
    for (size_t i = 0; i < v.history.n; i++)
        if (v.history.item[i] != v.history.item[0] + i || v.history.weight[i] != 1)
            return false; /* doubled, it would weigh 2 */
    if (v.history.n ==
        0) { /* nothing yet, or an erasure since: not before what was there by then */
        uint32_t last = atomic_load(&r->next[user]);
        bool erased = next == 0;
        for (uint32_t i = next; i <= last && !erased; i++)
            erased = atomic_load(&r->erased_at[user * LONG + i]);
        return erased;
    }
    uint32_t begin = v.history.item[0];
    bool from_start = begin == 0 || atomic_load(&r->erased_at[user * LONG + begin]);
    return from_start && begin >= first && begin + v.history.n >= next;
}

static void *read_profiles(void *arg)
{
    struct race *r = arg;
    struct arena tmp;
    arena_init(&tmp);
    for (uint32_t i = 0; atomic_load(&r->written) < EVENTS; i++) {
        if (!look(r, i % USERS, &tmp))
            atomic_fetch_add(&r->bad, 1);
        atomic_fetch_add(&r->reads, 1);
        for (uint32_t k = 0; k < 16; k++) { /* others, who push them out */
            char name[16];
            user_name(USERS + (i * 16 + k) % 100000, name);
            see(r->p, &r->fake, name, 0, &tmp);
        }
        arena_reset(&tmp);
    }
    arena_done(&tmp);
    return NULL;
}

static void nothing_is_missed_or_doubled(void **state)
{
    struct race *r = calloc(1, sizeof *r);
    pthread_t thread[4];
    fake_init(&r->fake);
    r->log = calloc(EVENTS, sizeof *r->log);
    r->erased_at = calloc(USERS * LONG, sizeof *r->erased_at);
    r->p = new_profiles(0, LONG); /* nothing is cached for longer than a request takes */
    pthread_create(&thread[0], NULL, drain_events, r);
    pthread_create(&thread[1], NULL, read_profiles, r);
    pthread_create(&thread[2], NULL, read_profiles, r);
    pthread_create(&thread[3], NULL, write_events, r);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(atomic_load(&r->bad), 0);
    assert_true(atomic_load(&r->reads) > 0);
    assert_true(atomic_load(&r->fake.loads) > 0);
    struct arena tmp;
    arena_init(&tmp);
    for (uint32_t u = 0; u < USERS; u++) {
        char name[16];
        user_name(u, name);
        struct profile_view v = see(r->p, &r->fake, name, 0, &tmp);
        assert_items(&v, atomic_load(&r->first[u]), atomic_load(&r->next[u]));
    }
    struct profiles_status status;
    profiles_status(r->p, &status);
    print_message("%llu reads, %llu loads, %llu of them again, %llu evictions\n",
                  (unsigned long long)atomic_load(&r->reads),
                  (unsigned long long)atomic_load(&r->fake.loads), (unsigned long long)status.again,
                  (unsigned long long)status.evictions);
    arena_done(&tmp);
    profiles_free(r->p);
    fake_done(&r->fake);
    free(r->log);
    free(r->erased_at);
    free(r);
}

/* The same, made to happen: the drain's transaction lies between reading and installing. */
static void a_transaction_in_between_means_reading_again(void **state)
{
    struct fake f;
    struct arena tmp;
    fake_init(&f);
    arena_init(&tmp);
    struct profiles *p = new_profiles(1 << 20, 100);
    like(p, "user-2", 1, 0);
    f.during = p;
    struct profile_view v = see(p, &f, "user-2", 0, &tmp);
    assert_items(&v, 0, 1);
    assert_int_equal(f.loads, 2);
    struct profiles_status status;
    profiles_status(p, &status);
    assert_int_equal(status.again, 1);
    profiles_free(p);
    arena_done(&tmp);
    fake_done(&f);
}

/* ---- One thing at a time ---- */

static void a_store_that_is_away_is_asked_again(void **state)
{
    struct fake f;
    struct arena tmp;
    fake_init(&f);
    arena_init(&tmp);
    struct profiles *p = new_profiles(1 << 20, 100);
    fake_apply(&f, &(struct happened){.user = 1, .item = 0});
    f.away = true;
    like(p, "user-1", 5, 1);
    struct profile_view v = see(p, &f, "user-1", 10000, &tmp);
    assert_items(&v, 1, 2); /* what is in memory */
    like(p, "user-1", 6, 2);
    v = see(p, &f, "user-1", 10999, &tmp);
    assert_items(&v, 1, 3);
    assert_int_equal(f.loads, 1); /* not at every request */
    f.away = false;
    v = see(p, &f, "user-1", 11000, &tmp);
    assert_items(&v, 0, 3);
    struct profiles_status status;
    profiles_status(p, &status);
    assert_int_equal(status.failures, 1);
    profiles_free(p);
    arena_done(&tmp);
    fake_done(&f);
}

static void the_ceiling_holds(void **state)
{
    enum { MANY = 5000, CEILING = 1 << 18 };
    struct fake f;
    struct arena tmp;
    struct profiles_status status;
    fake_init(&f);
    arena_init(&tmp);
    struct profiles *p = new_profiles(CEILING, 100);
    for (uint32_t i = 0; i < MANY; i++) {
        char user[16];
        user_name(i, user);
        for (uint32_t e = 0; e < 5; e++)
            like(p, user, i * 5 + e + 1, e);
        see(p, &f, user, 0, &tmp);
        arena_reset(&tmp);
        profiles_status(p, &status);
        assert_true(status.bytes <= CEILING);
    }
    assert_true(status.evictions > 0 && status.cached > 0);
    assert_true(status.waiting_bytes > 0);
    struct profile_view v = see(p, &f, "user-3", 0, &tmp); /* evicted long ago, not drained */
    assert_items(&v, 0, 5);
    profiles_draining(p, MANY * 5);
    profiles_drained(p, MANY * 5, true);
    profiles_status(p, &status);
    assert_int_equal(status.waiting_bytes, 0);
    profiles_free(p);
    arena_done(&tmp);
    fake_done(&f);
}

static void an_erased_user_stays_erased(void **state)
{
    struct fake f;
    struct arena tmp;
    fake_init(&f);
    arena_init(&tmp);
    struct profiles *p = new_profiles(0, 100);
    for (uint32_t i = 0; i < 3; i++)
        fake_apply(&f, &(struct happened){.user = 4, .item = i});
    struct profile_view v = see(p, &f, "user-4", 0, &tmp);
    assert_items(&v, 0, 3);
    profiles_erase(p, "user-4", 10); /* the store does not know yet */
    v = see(p, &f, "user-4", 0, &tmp);
    assert_items(&v, 0, 0);
    for (uint32_t i = 0; i < 1000; i++) { /* others push it out */
        char name[16];
        user_name(USERS + i, name);
        see(p, &f, name, 0, &tmp);
    }
    v = see(p, &f, "user-4", 0, &tmp);
    assert_items(&v, 0, 0);
    like(p, "user-4", 11, 0);
    v = see(p, &f, "user-4", 0, &tmp);
    assert_items(&v, 0, 1);
    profiles_clear(p, 12);
    v = see(p, &f, "user-4", 0, &tmp);
    assert_items(&v, 0, 0);
    profiles_draining(p, 12);
    f.count[4] = 0;
    profiles_drained(p, 12, true);
    like(p, "user-4", 13, 0);
    v = see(p, &f, "user-4", 0, &tmp);
    assert_items(&v, 0, 1);
    profiles_free(p);
    arena_done(&tmp);
    fake_done(&f);
}

static void the_latest_events_count(void **state)
{
    struct fake f;
    struct arena tmp;
    fake_init(&f);
    arena_init(&tmp);
    struct profiles *p = new_profiles(1 << 20, 10);
    see(p, &f, "user-0", 0, &tmp);
    for (uint32_t i = 0; i < 100; i++)
        like(p, "user-0", i + 1, i);
    struct profile_view v = see(p, &f, "user-0", 0, &tmp);
    assert_int_equal(v.history.n, 10);
    assert_int_equal(v.history.item[0], 90);
    assert_int_equal(v.seen_count, 100);
    /* one that happened before the others counts as older; one of the other sign replaces */
    profiles_event(p, "user-0", 101, &(struct profile_event){500, 1, 5, true});
    profiles_event(p, "user-0", 102, &(struct profile_event){99, -2, 2000, true});
    v = see(p, &f, "user-0", 0, &tmp);
    assert_int_equal(v.seen_count, 101);
    assert_int_equal(v.history.n, 9);
    assert_int_equal(v.history.item[8], 99);
    assert_true(v.history.weight[8] == -2);
    for (size_t i = 0; i < v.history.n; i++)
        assert_int_not_equal(v.history.item[i], 500);
    profiles_free(p);
    arena_done(&tmp);
    fake_done(&f);
}

/* How often and when, once somebody wants to know; the fold is the same. */
static void how_often_and_when(void **state)
{
    static const struct profile_event happened[] = {
        {7, 1, 5000, true}, {8, 1, 6000, true}, {7, 1, 9000, true}, {9, 0, 9500, true}};
    struct fake f;
    struct arena tmp;
    fake_init(&f);
    arena_init(&tmp);
    struct profiles *p = new_profiles(1 << 20, 10);
    see(p, &f, "user-0", 0, &tmp); /* loaded: nothing so far */
    for (size_t i = 0; i < 4; i++)
        profiles_event(p, "user-0", 1 + i, &happened[i]);
    struct profile_view without = see(p, &f, "user-0", 0, &tmp);
    assert_null(without.history.had);
    profiles_want_had(p, true);
    struct profile_view v = see(p, &f, "user-0", 0, &tmp);
    assert_int_equal(v.history.n, 2);
    assert_memory_equal(v.history.item, without.history.item, 2 * sizeof *v.history.item);
    assert_memory_equal(v.history.weight, without.history.weight, 2 * sizeof *v.history.weight);
    assert_true(v.history.item[1] == 7 && v.history.last_s == without.history.last_s);
    const struct had *had = v.history.had;
    assert_true(had[0].times == 1 && had[0].first_s == 6 && had[0].last_s == 6);
    assert_true(had[1].times == 2 && had[1].first_s == 5 && had[1].last_s == 9);
    profiles_free(p);
    arena_done(&tmp);
    fake_done(&f);
}

/* ---- What was shown ---- */

static const int64_t DAY_MS = 86400000;

/* How often the user ignored the item, as a request at now_ms would read it. */
static double ignored_times(struct profiles *p, const char *user, uint32_t item, int64_t now_ms)
{
    struct profile_view v;
    struct pal_error err;
    struct arena tmp;
    bool ready;
    double times = 0;
    arena_init(&tmp);
    assert_ok(profiles_read(p, user, now_ms, &tmp, &v, &ready, &err), &err);
    for (size_t i = 0; ready && i < v.ignored_count; i++)
        if (v.ignored[i] == item)
            times += (double)v.ignored_times[i];
    arena_done(&tmp);
    return times;
}

/* Serves and returns how many were ignored. */
static size_t serve(struct profiles *p, const uint32_t *list, size_t n, int64_t now_ms,
                    uint32_t *ignored, float *amount)
{
    *amount = 0;
    return profiles_serve(p, "user-0", list, n, now_ms, ignored, amount);
}

static void what_is_ignored_counts_once(void **state)
{
    const uint32_t list[] = {5, 6, 7}, other[] = {8};
    uint32_t ignored[SERVED_MOST];
    float amount;
    struct fake f;
    struct arena tmp;
    fake_init(&f);
    arena_init(&tmp);
    struct profiles *p = new_profiles(1 << 20, 10);
    assert_int_equal(serve(p, list, 3, DAY_MS, ignored, &amount), 0); /* not in memory */
    see(p, &f, "user-0", 0, &tmp);
    assert_int_equal(serve(p, list, 3, DAY_MS, ignored, &amount), 0);
    like(p, "user-0", 1, 6);
    assert_int_equal(serve(p, other, 1, DAY_MS, ignored, &amount), 2);
    assert_int_equal(ignored[0], 5);
    assert_int_equal(ignored[1], 7);
    assert_float_equal(amount, 1 - 0.95 * 2 / 3, 1e-6); /* one of three was acted upon */
    assert_int_equal(serve(p, list, 3, 2 * DAY_MS, ignored, &amount), 1);
    assert_int_equal(ignored[0], 8);
    assert_float_equal(amount, 1, 1e-6);
    assert_int_equal(serve(p, other, 1, 2 * DAY_MS, ignored, &amount), 3);
    assert_float_equal(amount, 0.05, 1e-6); /* asked again at once */
    profiles_erase(p, "user-0", 2);
    assert_int_equal(serve(p, list, 3, 3 * DAY_MS, ignored, &amount), 0);
    assert_true(ignored_times(p, "user-0", 8, 4 * DAY_MS) == 0);
    profiles_free(p);
    arena_done(&tmp);
    fake_done(&f);
}

static void ignoring_adds_up_and_fades(void **state)
{
    const uint32_t list[] = {5, 6}, other[] = {7};
    uint32_t ignored[SERVED_MOST];
    float amount;
    struct fake f;
    struct arena tmp;
    fake_init(&f);
    arena_init(&tmp);
    struct profiles *p = new_profiles(1 << 20, 10); /* with a half-life of ten days */
    see(p, &f, "user-0", 0, &tmp);
    serve(p, list, 2, 0, ignored, &amount);
    assert_float_equal(ignored_times(p, "user-0", 5, 0), 0.05, 1e-6); /* the list before counts */
    assert_float_equal(ignored_times(p, "user-0", 5, DAY_MS), 1, 1e-6);
    serve(p, list, 2, DAY_MS, ignored, &amount);
    serve(p, other, 1, 11 * DAY_MS, ignored, &amount); /* 1 faded to 1/2, and 1 more */
    assert_float_equal(ignored_times(p, "user-0", 5, 11 * DAY_MS), 1.5, 1e-5);
    assert_float_equal(ignored_times(p, "user-0", 5, 31 * DAY_MS), 1.5 / 4, 1e-5);
    like(p, "user-0", 1, 6);
    assert_true(ignored_times(p, "user-0", 6, 11 * DAY_MS) == 0); /* it is not ignored any more */
    assert_true(ignored_times(p, "user-0", 5, 11 * DAY_MS) > 0);
    for (uint32_t i = 0; i < IGNORED_MOST; i++) { /* no more are remembered */
        const uint32_t next[] = {100 + i};
        serve(p, next, 1, (11 + (int64_t)i) * DAY_MS, ignored, &amount);
    }
    assert_true(ignored_times(p, "user-0", 5, 12 * DAY_MS) == 0);
    assert_true(ignored_times(p, "user-0", 200, (11 + IGNORED_MOST) * DAY_MS) > 0);
    profiles_free(p);
    arena_done(&tmp);
    fake_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_missed_or_doubled),
        cmocka_unit_test(a_transaction_in_between_means_reading_again),
        cmocka_unit_test(a_store_that_is_away_is_asked_again),
        cmocka_unit_test(the_ceiling_holds),
        cmocka_unit_test(an_erased_user_stays_erased),
        cmocka_unit_test(the_latest_events_count),
        cmocka_unit_test(how_often_and_when),
        cmocka_unit_test(what_is_ignored_counts_once),
        cmocka_unit_test(ignoring_adds_up_and_fades),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
