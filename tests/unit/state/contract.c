/* What every kind of live state promises in state.h, asked of the server that PALATE_TEST_STATE
 * names; tests/backend/state_contract.py starts it and runs this. Each test has a prefix of its
 * own, so nothing of another is in its way. */
#include "test.h"

#include "state/redis.h"
#include "state/redis_inside.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { KEEP = 450 }; /* and so at least all that nothing_is_missed_between_looks adds */

struct site {
    struct state *a, *b; /* two processes */
    struct arena tmp;
    long blocks;
};

static struct state *open_state(const char *prefix)
{
    struct state_options o;
    struct state *s = NULL;
    struct pal_error err, away = {.message = "?"};
    char url[512];
    const char *base = getenv("PALATE_TEST_STATE");
    opt_defaults(&state_option_table, &o);
    o.timeout_ms = 5000; /* the machine may be busy */
    snprintf(url, sizeof url, "%s%sprefix=%s", base, strchr(base, '?') ? "&" : "?", prefix);
    assert_ok(state_open(url, &o, KEEP, &s, &away, &err), &err);
    assert_string_equal(away.status == PAL_OK ? "" : away.message, "");
    return s;
}

static int make(void **state)
{
    static unsigned number;
    char prefix[64];
    struct site *w = calloc(1, sizeof *w);
    w->blocks = mem_live();
    snprintf(prefix, sizeof prefix, "t%ld-%ld-%u", (long)time(NULL), (long)getpid(), number++);
    arena_init(&w->tmp);
    w->a = open_state(prefix);
    w->b = open_state(prefix);
    *state = w;
    return 0;
}

static int drop(void **state)
{
    struct site *w = *state;
    state_close(w->a);
    state_close(w->b);
    arena_done(&w->tmp);
    assert_int_equal(mem_live(), w->blocks);
    free(w);
    return 0;
}

static struct event event_of(const char *user, const char *item, int64_t time_ms)
{
    return (struct event){
        .user_id = user, .item_id = item, .type = "like", .value = 1, .time_ms = time_ms};
}

static void add(struct state *s, const struct event *e, bool known_only)
{
    struct pal_error err;
    assert_ok(state_add(s, &e, 1, known_only, &err), &err);
}

static struct state_view look(struct site *w, struct state *s, const char *user,
                              struct state_version known)
{
    struct state_view v;
    struct pal_error err;
    assert_ok(state_look(s, user, &known, &w->tmp, &v, &err), &err);
    return v;
}

static const struct state_version nothing = {0};

/* A reply_fn: how many keys there are. */
static enum pal_status take_count(void *ctx, size_t i, const redisReply *reply,
                                  struct pal_error *err)
{
    *(unsigned *)ctx = (unsigned)reply->elements;
    return PAL_OK;
}

static unsigned count_keys(struct site *w)
{
    struct redis *r = (struct redis *)w->a;
    struct commands c = {0};
    struct pal_error err;
    struct str match = {0};
    unsigned n = 0;
    command_begin(&c, 2);
    command_text(&c, "KEYS");
    str_fmt(&match, "%s:u:*", r->url.prefix);
    command_text(&c, str_text(&match));
    str_done(&match);
    assert_ok(redis_call(r, &c, 0, take_count, &n, &err), &err);
    return n;
}

/* Fills a user with what "the store" has: items `from` … `to`, the last one the newest. */
static void fill(struct site *w, struct state *s, const char *user, unsigned from, unsigned to)
{
    struct pal_error err;
    struct event *events = arena_alloc(&w->tmp, to - from, sizeof *events);
    bool filled;
    struct state_view v = look(w, s, user, nothing);
    assert_int_equal(v.found, STATE_NONE);
    assert_true(v.token != 0);
    for (unsigned i = from; i < to; i++) {
        char *id = arena_alloc(&w->tmp, 1, 16);
        snprintf(id, 16, "i%u", i);
        events[to - 1 - i] = event_of(user, id, 1000 + i);
    }
    assert_ok(state_fill(s, user, v.token, events, to - from, &filled, &err), &err);
    assert_true(filled);
}

static bool has(const struct state_view *v, const char *item)
{
    for (size_t i = 0; i < v->count; i++)
        if (strcmp(v->events[i].item_id, item) == 0)
            return true;
    return false;
}

/* ---- Users ---- */

static void what_one_adds_the_other_sees(void **state)
{
    struct site *w = *state;
    fill(w, w->a, "ann", 0, 5);
    struct state_view v = look(w, w->b, "ann", nothing);
    assert_int_equal(v.found, STATE_WHOLE);
    assert_int_equal(v.count, 5);
    for (unsigned i = 0; i < 5; i++) { /* as they came */
        char id[16];
        snprintf(id, sizeof id, "i%u", i);
        assert_string_equal(v.events[i].item_id, id);
        assert_int_equal(v.events[i].time_ms, 1000 + i);
        assert_string_equal(v.events[i].type, "like");
    }
    assert_int_equal(look(w, w->b, "ann", v.version).found, STATE_SAME);
    struct event e = event_of("ann", "new", 500); /* late, and yet the last that came */
    add(w->a, &e, false);
    struct state_view more = look(w, w->b, "ann", v.version);
    assert_int_equal(more.found, STATE_MORE);
    assert_int_equal(more.count, 1);
    assert_string_equal(more.events[0].item_id, "new");
    assert_int_equal(look(w, w->b, "ann", more.version).found, STATE_SAME);
    v = look(w, w->a, "ann", nothing);
    assert_int_equal(v.count, 6);
    assert_string_equal(v.events[5].item_id, "new");
}

static void the_same_event_is_added_once(void **state)
{
    struct site *w = *state;
    struct event e = event_of("ann", "x", 7), retry;
    fill(w, w->a, "ann", 0, 1);
    add(w->a, &e, false);
    struct state_version after = look(w, w->a, "ann", nothing).version;
    add(w->b, &e, false);
    add(w->b, &e, true);
    e.event_id = "0123456789ab-0000000000000001"; /* as the drain names it */
    add(w->b, &e, true);
    assert_int_equal(look(w, w->a, "ann", after).found, STATE_SAME);
    e = event_of("ann", "x", 8);
    e.event_id = "order 1";
    add(w->a, &e, false);
    after = look(w, w->a, "ann", nothing).version;
    retry = e;
    retry.time_ms = 9; /* the clock went on until the client asked again */
    add(w->b, &retry, false);
    assert_int_equal(look(w, w->a, "ann", after).found, STATE_SAME);
    retry.event_id = "order 2";
    add(w->b, &retry, false);
    assert_int_equal(look(w, w->a, "ann", after).count, 1);
}

static void filling_keeps_what_is_there(void **state)
{
    struct site *w = *state;
    struct event e = event_of("ann", "early", 5);
    struct event both = event_of("ann", "i3", 1003); /* added, and stored meanwhile */
    add(w->a, &e, false);
    add(w->a, &both, false);
    fill(w, w->b, "ann", 0, 4);
    struct state_view v = look(w, w->a, "ann", nothing);
    assert_int_equal(v.found, STATE_WHOLE);
    assert_int_equal(v.count, 5);
    assert_string_equal(v.events[0].item_id, "i0");
    assert_string_equal(v.events[3].item_id, "early");
    assert_string_equal(v.events[4].item_id, "i3");
}

static void only_known_users_get_what_was_stored(void **state)
{
    struct site *w = *state;
    struct event e = event_of("nobody", "x", 5);
    add(w->a, &e, true);
    struct state_view v = look(w, w->a, "nobody", nothing);
    assert_int_equal(v.found, STATE_NONE);
    add(w->a, &e, true); /* somebody is about to fill it: the store may have been read before */
    struct pal_error err;
    bool filled;
    assert_ok(state_fill(w->a, "nobody", v.token, NULL, 0, &filled, &err), &err);
    assert_int_equal(look(w, w->a, "nobody", nothing).count, 1);
}

static void a_fill_that_was_overtaken_is_refused(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    const char *ann = "ann";
    bool filled;
    struct event old = event_of("ann", "old", 1);
    for (int how = 0; how < 4; how++) {
        struct state_view v = look(w, w->a, "ann", nothing);
        assert_int_equal(v.found, STATE_NONE);
        if (how == 0)
            assert_ok(state_erase(w->b, &ann, 1, false, &err), &err);
        else if (how == 1)
            assert_ok(state_doubt(w->b, &ann, 1, &err), &err);
        else if (how == 2)
            assert_ok(state_doubt(w->b, NULL, 0, &err), &err);
        else
            assert_ok(state_clear(w->b, false, &err), &err);
        assert_ok(state_fill(w->a, "ann", v.token, &old, 1, &filled, &err), &err);
        assert_false(filled);
        v = look(w, w->a, "ann", nothing);
        assert_int_equal(v.found, how == 0 ? STATE_WHOLE : STATE_NONE);
        assert_int_equal(v.count, 0);
        if (how == 0)
            assert_ok(state_doubt(w->b, &ann, 1, &err), &err);
    }
}

static void erasing_leaves_nothing(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    const char *users[] = {"ann", "bob"};
    fill(w, w->a, "ann", 0, 5);
    struct state_version before = look(w, w->a, "ann", nothing).version;
    assert_ok(state_erase(w->b, users, 2, false, &err), &err);
    struct state_view v = look(w, w->a, "ann", before);
    assert_int_equal(v.found, STATE_WHOLE);
    assert_int_equal(v.count, 0);
    struct event e = event_of("ann", "x", 5), old = event_of("ann", "i1", 1001);
    add(w->a, &e, false);
    add(w->a, &old, true); /* it comes into the store only now */
    assert_int_equal(look(w, w->b, "ann", nothing).count, 1);
    assert_ok(state_erase(w->a, users, 1, true, &err), &err); /* the erasure as well */
    assert_int_equal(look(w, w->b, "ann", nothing).count, 1);
}

/* Nobody could say so before: what was filled in meanwhile goes, and is filled in again. */
static void an_erasure_that_is_only_stored_counts(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    const char *ann = "ann";
    fill(w, w->a, "ann", 0, 5);
    assert_ok(state_erase(w->b, &ann, 1, true, &err), &err);
    fill(w, w->a, "ann", 0, 0);
    assert_int_equal(look(w, w->b, "ann", nothing).count, 0);
    struct event e = event_of("ann", "x", 5);
    add(w->a, &e, true);
    assert_int_equal(look(w, w->b, "ann", nothing).count, 1);
}

static void who_is_in_doubt_is_filled_again(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    const char *ann = "ann";
    for (int all = 0; all < 2; all++) {
        struct event e = event_of("ann", all ? "y" : "x", 5);
        if (!all)
            fill(w, w->a, "ann", 0, 2);
        add(w->a, &e, false);
        assert_ok(state_doubt(w->a, all ? NULL : &ann, 1, &err), &err);
        fill(w, w->b, "ann", 0, 4); /* the store knows more by now; what was added is kept */
        struct state_view v = look(w, w->a, "ann", nothing);
        assert_int_equal(v.count, all ? 6 : 5);
        assert_true(has(&v, "x") && has(&v, "i3"));
    }
}

static void clearing_forgets_everybody(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    struct event e = event_of("bob", "x", 5);
    fill(w, w->a, "ann", 0, 5);
    add(w->a, &e, false);
    assert_ok(state_clear(w->b, true, &err), &err);
    assert_int_equal(look(w, w->a, "ann", nothing).found, STATE_NONE);
    fill(w, w->a, "bob", 0, 0);
    assert_int_equal(look(w, w->a, "bob", nothing).count, 0);
}

/* Of what was cleared nothing is left where somebody could read it. */
static void what_was_cleared_is_deleted(void **state)
{
    enum { USERS = 3000 };
    struct site *w = *state;
    struct pal_error err;
    for (unsigned i = 0; i < USERS; i++) {
        char user[16];
        snprintf(user, sizeof user, "u%u", i);
        struct event e = event_of(user, "x", 5);
        add(w->a, &e, false);
    }
    assert_ok(state_clear(w->a, true, &err), &err);
    struct event e = event_of("new", "x", 5);
    add(w->b, &e, false);
    assert_ok(state_mend(w->a, &err), &err);
    assert_false(atomic_load(&((struct redis *)w->a)->sweeping));
    unsigned left = count_keys(w);
    assert_int_equal(left, 1);
    assert_ok(state_mend(w->a, &err), &err);
}

static void the_oldest_go(void **state)
{
    struct site *w = *state;
    fill(w, w->a, "ann", 0, 2000);
    struct state_view v = look(w, w->a, "ann", nothing);
    assert_in_range(v.count, KEEP, 2 * KEEP);
    assert_string_equal(v.events[v.count - 1].item_id, "i1999");
    for (unsigned i = 0; i < 1000; i++) {
        char id[16];
        snprintf(id, sizeof id, "n%u", i);
        struct event e = event_of("ann", id, 5000 + i);
        add(w->a, &e, false);
    }
    v = look(w, w->a, "ann", nothing);
    assert_in_range(v.count, KEEP, 2 * KEEP);
    assert_string_equal(v.events[v.count - 1].item_id, "n999");
    assert_false(has(&v, "i1999"));
}

static void many_go_in_one_trip(void **state)
{
    enum { USERS = 40, EACH = 30 };
    struct site *w = *state;
    struct pal_error err;
    struct event *events = arena_alloc(&w->tmp, USERS * EACH, sizeof *events);
    const struct event **in_order = arena_alloc(&w->tmp, USERS * EACH, sizeof *in_order);
    struct state_status before, after;
    for (unsigned i = 0; i < USERS * EACH; i++) {
        char *text = arena_alloc(&w->tmp, 1, 32);
        snprintf(text, 16, "u%u", i / EACH);
        snprintf(text + 16, 16, "i%u", i % EACH);
        events[i] = event_of(text, text + 16, i);
        in_order[i] = &events[i];
    }
    state_status(w->a, &before);
    assert_ok(state_add(w->a, in_order, USERS * EACH, false, &err), &err);
    state_status(w->a, &after);
    assert_int_equal(after.trips, before.trips + 1);
    for (unsigned u = 0; u < USERS; u++) {
        char user[16];
        snprintf(user, sizeof user, "u%u", u);
        fill(w, w->b, user, 0, 0);
        assert_int_equal(look(w, w->b, user, nothing).count, EACH);
    }
}

/* ---- At the same time ---- */

enum { ADDERS = 4, ADDS = 200 };

struct adder {
    struct site *w;
    unsigned number;
};

static void *add_many(void *arg)
{
    struct adder *me = arg;
    for (unsigned i = 0; i < ADDS; i++) {
        char id[32];
        snprintf(id, sizeof id, "%u-%u", me->number, i);
        struct event e = event_of("crowd", id, i);
        add(i % 2 ? me->w->a : me->w->b, &e, false);
    }
    return NULL;
}

/* A reader that only ever takes what is more has all of it at the end, each once. */
static void nothing_is_missed_between_looks(void **state)
{
    struct site *w = *state;
    pthread_t thread[ADDERS];
    struct adder adder[ADDERS];
    bool got[ADDERS][ADDS] = {{0}};
    unsigned n = 0;
    fill(w, w->a, "crowd", 0, 0);
    struct state_version known = look(w, w->a, "crowd", nothing).version;
    for (unsigned i = 0; i < ADDERS; i++) {
        adder[i] = (struct adder){w, i};
        pthread_create(&thread[i], NULL, add_many, &adder[i]);
    }
    const time_t began = time(NULL);
    while (n < ADDERS * ADDS) {
        if (time(NULL) > began + 120)
            fail_msg("%u of %u came", n, ADDERS * ADDS);
        struct arena tmp;
        struct pal_error err;
        struct state_view v;
        arena_init(&tmp);
        assert_ok(state_look(w->b, "crowd", &known, &tmp, &v, &err), &err);
        assert_true(v.found == STATE_MORE || v.found == STATE_SAME);
        for (size_t i = 0; i < v.count; i++, n++) {
            unsigned a, b;
            assert_int_equal(sscanf(v.events[i].item_id, "%u-%u", &a, &b), 2);
            assert_false(got[a][b]);
            got[a][b] = true;
        }
        if (v.found == STATE_MORE)
            known = v.version;
        arena_done(&tmp);
    }
    for (unsigned i = 0; i < ADDERS; i++)
        pthread_join(thread[i], NULL);
}

/* ---- Counts ---- */

static const struct state_fading fading = {10, 180, 1};

static struct state_counts counted(struct site *w, struct state *s, const char *who,
                                   uint64_t generation, uint64_t mark, size_t most)
{
    struct state_counts out;
    struct pal_error err;
    assert_ok(state_counted(s, &fading, who, generation, mark, most, &w->tmp, &out, &err), &err);
    return out;
}

static struct state_count count_of(const char *item, double x, int64_t day)
{
    return (struct state_count){item, {x, 2 * x, 3 * x, 4 * x, day * 86400000}};
}

/* Makes a generation of three items. */
static uint64_t make_counts(struct site *w)
{
    struct pal_error err;
    uint64_t generation = 0;
    bool mine;
    const struct state_count base[] = {count_of("x", 1, 100), count_of("y", 2, 100),
                                       count_of("z", 3, 100)};
    assert_int_equal(counted(w, w->a, "A", 0, 0, 10).generation, 0);
    assert_ok(state_count_lock(w->a, &fading, "A", &mine, &err), &err);
    assert_true(mine);
    assert_ok(state_count_lock(w->b, &fading, "B", &mine, &err), &err);
    assert_false(mine);
    assert_ok(state_count_put(w->a, &fading, "A", 7, base, 2, false, &generation, &err), &err);
    assert_int_equal(generation, 0);
    assert_ok(state_count_put(w->a, &fading, "A", 7, base + 2, 1, true, &generation, &err), &err);
    assert_true(generation != 0);
    return generation;
}

static const struct state_sums *sums_of(const struct state_counts *c, const char *item)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->counts[i].item_id, item) == 0)
            return &c->counts[i].sums;
    fail_msg("%s is not there", item);
    return NULL;
}

static void assert_near(double is, double should)
{
    if (fabs(is - should) > 1e-9 * (1 + fabs(should)))
        fail_msg("%.17g instead of %.17g", is, should);
}

static void counts_add_up_as_they_fade(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    bool taken;
    uint64_t generation = make_counts(w);
    const struct state_count later = count_of("x", 5, 105), early = count_of("y", 5, 90),
                             fresh = count_of("new", 1, 1);
    const struct state_count all[] = {later, early, fresh};
    assert_ok(state_count_up(w->b, &fading, generation, "B", 1, 3, all, 3, &taken, &err), &err);
    assert_true(taken);
    struct state_counts c = counted(w, w->a, "A", 0, 0, 10);
    assert_int_equal(c.count, 4);
    assert_int_equal(c.seq, 7);
    assert_int_equal(counted(w, w->a, "B", 0, 0, 10).seq, 3);
    const struct state_sums *x = sums_of(&c, "x"), *y = sums_of(&c, "y");
    assert_int_equal(x->last_ms, 105ll * 86400000);
    assert_near(x->success, 1 * pow(2, -0.5) + 5);
    assert_near(x->failure, 2 * pow(2, -0.5) + 10);
    assert_near(x->popular, 3 * pow(2, -5 / 180.0) + 15);
    assert_near(x->recent, 4 * pow(2, -5) + 20);
    assert_int_equal(y->last_ms, 100ll * 86400000);
    assert_near(y->success, 2 + 5 * pow(2, -1));
    assert_near(y->recent, 8 + 20 * pow(2, -10));
    assert_near(sums_of(&c, "new")->popular, 3);
}

static void a_batch_counts_once(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    bool taken;
    uint64_t generation = make_counts(w);
    const struct state_count one = count_of("x", 1, 100);
    for (int i = 0; i < 3; i++) {
        taken = false;
        assert_ok(state_count_up(w->b, &fading, generation, "B", 5, 1, &one, 1, &taken, &err),
                  &err);
        assert_true(taken);
    }
    struct state_counts c = counted(w, w->a, "A", 0, 0, 10);
    assert_near(sums_of(&c, "x")->success, 2);
    assert_ok(state_count_up(w->b, &fading, generation + 1, "B", 6, 1, &one, 1, &taken, &err),
              &err);
    assert_false(taken);
}

static void only_what_changed_is_told(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    bool taken;
    uint64_t generation = make_counts(w);
    struct state_counts c = counted(w, w->b, "B", 0, 0, 2); /* in parts */
    assert_int_equal(c.count, 2);
    c = counted(w, w->b, "B", generation, c.mark, 2);
    assert_int_equal(c.count, 1);
    c = counted(w, w->b, "B", generation, c.mark, 2);
    assert_int_equal(c.count, 0);
    const struct state_count one = count_of("y", 1, 100);
    assert_ok(state_count_up(w->a, &fading, generation, "A", 1, 8, &one, 1, &taken, &err), &err);
    c = counted(w, w->b, "B", generation, c.mark, 2);
    assert_int_equal(c.count, 1);
    assert_string_equal(c.counts[0].item_id, "y");
    c = counted(w, w->b, "B", generation - 1, c.mark, 10); /* of another time: all */
    assert_int_equal(c.count, 3);
}

static void cleared_counts_are_complete_and_empty(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    bool mine;
    uint64_t generation = make_counts(w);
    assert_ok(state_clear(w->b, true, &err), &err);
    struct state_counts c = counted(w, w->a, "A", generation, 3, 10);
    assert_true(c.generation != 0 && c.generation != generation);
    assert_int_equal(c.count, 0);
    assert_ok(state_count_lock(w->a, &fading, "A", &mine, &err), &err);
    assert_false(mine);
    assert_ok(state_clear(w->b, false, &err), &err); /* users only */
    assert_int_equal(counted(w, w->a, "A", 0, 0, 10).generation, c.generation);
}

static void other_half_lives_are_counted_apart(void **state)
{
    struct site *w = *state;
    struct pal_error err;
    const struct state_fading other = {11, 180, 1};
    struct state_counts out;
    make_counts(w);
    assert_ok(state_counted(w->a, &other, "A", 0, 0, 10, &w->tmp, &out, &err), &err);
    assert_int_equal(out.generation, 0);
}

int main(void)
{
    state_add_kind(&redis_state);
    state_add_kind(&redis_state_tls);
    state_add_kind(&redis_state_path);
    if (!getenv("PALATE_TEST_STATE")) {
        fputs("PALATE_TEST_STATE names no server\n", stderr);
        return 77;
    }
#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)
    const struct CMUnitTest tests[] = {
        TEST(what_one_adds_the_other_sees),
        TEST(the_same_event_is_added_once),
        TEST(filling_keeps_what_is_there),
        TEST(only_known_users_get_what_was_stored),
        TEST(a_fill_that_was_overtaken_is_refused),
        TEST(erasing_leaves_nothing),
        TEST(an_erasure_that_is_only_stored_counts),
        TEST(who_is_in_doubt_is_filled_again),
        TEST(clearing_forgets_everybody),
        TEST(what_was_cleared_is_deleted),
        TEST(the_oldest_go),
        TEST(many_go_in_one_trip),
        TEST(nothing_is_missed_between_looks),
        TEST(counts_add_up_as_they_fade),
        TEST(a_batch_counts_once),
        TEST(only_what_changed_is_told),
        TEST(cleared_counts_are_complete_and_empty),
        TEST(other_half_lives_are_counted_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
