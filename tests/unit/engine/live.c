/* The running recommender as a whole: what was written counts for the very next answer and after
 * every restart; what was erased is gone; what can't be taken is refused with its place. */
#include "live_world.h"

#include "engine/live_inside.h"

#include <stdatomic.h>

/* ---- Reading one's writes ---- */

enum { WRITERS = 4, ITEMS = 60 };

struct writer {
    struct world *w;
    unsigned number;
    atomic_uint *bad;
};

/* Likes one item after the other and asks in between: never one that was liked, always all
 * others. */
static void *like_and_ask(void *arg)
{
    struct writer *me = arg;
    struct arena tmp;
    struct pal_error err;
    char user[32], item[32];
    arena_init(&tmp);
    snprintf(user, sizeof user, "user-%u", me->number);
    for (unsigned i = 0; i < ITEMS; i++) {
        snprintf(item, sizeof item, "item-%u", (i * 7 + me->number) % ITEMS);
        struct record r = event_record(user, item, i % 3 ? "like" : "dislike");
        struct live_request q = request_for(user, ITEMS + 10);
        struct live_answer a;
        if (live_write_wait(me->w->l, &r, 1, &err) != PAL_OK ||
            live_recommend(me->w->l, &q, &tmp, &a, &err) != PAL_OK || answer_has(&a, item) ||
            a.count != ITEMS - 1 - i)
            atomic_fetch_add(me->bad, 1);
        arena_reset(&tmp);
    }
    arena_done(&tmp);
    return NULL;
}

static void the_next_answer_knows(void **state)
{
    struct world *w = *state;
    struct writer writer[WRITERS];
    pthread_t thread[WRITERS];
    atomic_uint bad = 0;
    w->config.live.profile_bytes = 1 << 16; /* so that profiles come and go */
    w->config.live.drain_most = 7;
    world_open(w);
    world_items(w, ITEMS);
    for (unsigned i = 0; i < WRITERS; i++) {
        writer[i] = (struct writer){w, i, &bad};
        pthread_create(&thread[i], NULL, like_and_ask, &writer[i]);
    }
    for (unsigned i = 0; i < WRITERS; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(bad, 0);
}

static void taste_counts_before_any_training(void **state)
{
    struct world *w = *state;
    world_open(w);
    world_items(w, ITEMS);
    for (int i = 1; i < 12; i += 2) {
        char item[32];
        snprintf(item, sizeof item, "item-%d", i);
        world_event(w, "ann", item, "like");
    }
    /* the content model comes within a moment; ask until it has a say */
    struct live_answer a;
    for (int tries = 0; tries < 2000; tries++) {
        a = world_ask(w, "ann", 8);
        if (a.personal && strcmp(a.items[0].source, "content") == 0)
            break;
        arena_reset(&w->tmp);
        usleep(5000);
    }
    unsigned comedies = 0;
    for (size_t i = 0; i < a.count; i++)
        comedies += atoi(a.items[i].row.item_id + 5) % 2;
    assert_true(a.personal);
    assert_true(comedies > a.count / 2);
}

/* ---- Restarting ---- */

static void a_restart_keeps_everything(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    for (unsigned round = 0; round < 3; round++) {
        char item[32];
        world_open(w);
        if (round == 0)
            world_items(w, ITEMS);
        for (unsigned i = 0; i < 5; i++) {
            snprintf(item, sizeof item, "item-%u", round * 5 + i);
            world_event(w, "ann", item, "like");
        }
        if (round == 1)
            world_drain(w);
        world_close(w, 0); /* what is in the journal may stay there */
    }
    world_open(w);
    struct live_answer a = world_ask(w, "ann", 1000);
    assert_int_equal(a.count, ITEMS - 15);
    struct event *events;
    size_t count;
    uint64_t next;
    assert_ok(live_user_events(w->l, "ann", 0, 100, &w->tmp, &events, &count, &next, &err), &err);
    assert_int_equal(count, 15);
    assert_int_equal(next, 0);
    for (unsigned i = 0; i < 15; i++) { /* newest first */
        char item[32];
        snprintf(item, sizeof item, "item-%u", 14 - i);
        assert_string_equal(events[i].item_id, item);
    }
    assert_ok(live_user_events(w->l, "ann", 0, 10, &w->tmp, &events, &count, &next, &err), &err);
    assert_int_equal(count, 10);
    assert_ok(live_user_events(w->l, "ann", next, 10, &w->tmp, &events, &count, &next, &err), &err);
    assert_int_equal(count, 5);
    assert_string_equal(events[0].item_id, "item-4");
    assert_int_equal(next, 0);
    struct user_row user;
    uint64_t n;
    assert_ok(live_user(w->l, "ann", &w->tmp, &user, &n, &err), &err);
    assert_int_equal(n, 15);
    assert_int_equal(live_user(w->l, "bob", &w->tmp, &user, &n, &err), PAL_ENOTFOUND);
}

static void a_second_one_is_refused(void **state)
{
    struct world *w = *state;
    struct live *other = NULL;
    struct pal_error err = {.message = ""};
    world_open(w);
    assert_int_equal(live_open(&w->config, NULL, NULL, &other, &err), PAL_EIO);
    assert_non_null(strstr(err.message, "palate.db"));
    assert_null(other);
}

/* ---- Refusing ---- */

static void bad_records_are_named(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    enum { NEW = 3 };
    char type[NEW + 1][16];
    w->config.live.new_types = NEW;
    world_open(w);
    struct record two[] = {event_record("ann", "a", "like"), event_record("", "a", "like")};
    assert_int_equal(live_write_wait(w->l, two, 2, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "record 2"));
    assert_int_equal(world_ask(w, "ann", 5).count, 0); /* all or none */
    struct record many[NEW + 1];
    for (int i = 0; i <= NEW; i++) {
        snprintf(type[i], sizeof type[i], "type-%d", i);
        many[i] = event_record("ann", "a", type[i]);
    }
    assert_int_equal(live_write_wait(w->l, many, NEW + 1, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "record 4"));
    assert_false(world_said(w, "a new event type"));
    assert_ok(live_write_wait(w->l, many, NEW, &err), &err);
    assert_true(world_said(w, "a new event type came up: 'type-2', worth 1"));
    assert_int_equal(live_write_wait(w->l, &many[NEW], 1, &err), PAL_EUSAGE);
    world_event(w, "ann", "a", "purchase"); /* of the rules: has its place */
    world_close(w, 10000);
    w->log[0] = 0;
    world_open(w); /* the store knows the types */
    assert_int_equal(live_write_wait(w->l, &many[NEW], 1, &err), PAL_EUSAGE);
    assert_ok(live_write_wait(w->l, many, 1, &err), &err);
    assert_false(world_said(w, "a new event type"));
}

static void bad_requests_are_refused(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    struct live_answer a;
    world_open(w);
    world_items(w, 4);
    struct live_request q = request_for("ann", 0);
    assert_int_equal(live_recommend(w->l, &q, &w->tmp, &a, &err), PAL_EUSAGE);
    q.n = 10;
    q.filter = "year >";
    assert_int_equal(live_recommend(w->l, &q, &w->tmp, &a, &err), PAL_EUSAGE);
    q.filter = NULL;
    q.user_id = "";
    assert_int_equal(live_recommend(w->l, &q, &w->tmp, &a, &err), PAL_EUSAGE);
    q.user_id = "ann";
    q.model = "als";
    assert_int_equal(live_recommend(w->l, &q, &w->tmp, &a, &err), PAL_ENOTFOUND);
    q.model = NULL;
    assert_int_equal(live_similar(w->l, "none", &q, &w->tmp, &a, &err), PAL_ENOTFOUND);
    struct item_row row;
    assert_int_equal(live_item(w->l, "none", &w->tmp, &row, &err), PAL_ENOTFOUND);
    assert_int_equal(live_activate(w->l, 9, &err), PAL_ENOTFOUND);
}

static void an_empty_catalog_answers(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    struct live_answer a;
    uint32_t version = 7;
    world_open(w);
    assert_int_equal(world_ask(w, "ann", 10).count, 0);
    struct live_request q = request_for(NULL, 10);
    assert_ok(live_recommend(w->l, &q, &w->tmp, &a, &err), &err);
    assert_int_equal(a.count, 0);
    assert_ok(live_top(w->l, false, &q, &w->tmp, &a, &err), &err);
    assert_int_equal(a.count, 0);
    const char *ids[] = {"x", "y"};
    assert_ok(live_rank(w->l, &q, ids, 2, &w->tmp, &a, &err), &err);
    assert_int_equal(a.count, 2);
    assert_string_equal(a.items[1].row.item_id, "y");
    assert_string_equal(a.items[1].source, "unknown");
    assert_ok(live_reload(w->l, &version, &err), &err);
    assert_int_equal(version, 0);
}

/* ---- Retries ---- */

static void a_retry_counts_once(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    struct live_status status;
    world_open(w);
    world_items(w, 3);
    struct record r = event_record("ann", "item-1", "like");
    r.event.event_id = "the-one";
    for (int i = 0; i < 3; i++)
        assert_ok(live_write_wait(w->l, &r, 1, &err), &err);
    live_status(w->l, &status);
    assert_int_equal(status.events_repeated, 2);
    assert_int_equal(status.events_by_type[0], 1);
    struct user_row user;
    uint64_t n;
    assert_ok(live_user(w->l, "ann", &w->tmp, &user, &n, &err), &err);
    assert_int_equal(n, 1);
}

/* ---- Erasing ---- */

static void a_deleted_user_is_gone(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    world_open(w);
    world_items(w, 20);
    struct record first = event_record("ann", "item-1", "like");
    first.event.recommendation_id = "first-life";
    assert_ok(live_write_wait(w->l, &first, 1, &err), &err);
    world_event(w, "bob", "item-1", "like");
    world_ask(w, "ann", 5);
    struct record r = {.kind = RECORD_USER_DELETE, .id = "ann"};
    assert_ok(live_write_wait(w->l, &r, 1, &err), &err);
    assert_int_equal(world_ask(w, "ann", 100).count, 20); /* nothing seen */
    assert_int_equal(world_ask(w, "bob", 100).count, 19);
    world_drain(w);
    struct event *events;
    struct served_row *served;
    size_t count;
    uint64_t next;
    assert_ok(live_user_events(w->l, "ann", 0, 10, &w->tmp, &events, &count, &next, &err), &err);
    assert_int_equal(count, 0);
    world_event(w, "ann", "item-2", "like"); /* a new beginning */
    assert_int_equal(world_ask(w, "ann", 100).count, 19);
    assert_ok(live_user_served(w->l, "ann", 100, &w->tmp, &served, &count, &err), &err);
    assert_int_equal(count, 2); /* not what was served before */
    world_close(w, 10000);
    world_open(w);
    assert_int_equal(world_ask(w, "ann", 100).count, 19);
    /* no byte of the first life is left in the journal */
    char command[160];
    snprintf(command, sizeof command, "cat %s/palate.db-journal.d/* | grep -aq first-life", w->dir);
    assert_int_not_equal(system(command), 0);
}

static void cleared_means_everything(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    world_open(w);
    world_items(w, 20);
    world_event(w, "ann", "item-1", "like");
    world_ask(w, "ann", 5);
    struct record r = {.kind = RECORD_CLEAR};
    assert_ok(live_write_wait(w->l, &r, 1, &err), &err);
    assert_int_equal(world_ask(w, "ann", 100).count, 0);
    world_item(w, "new", "New", NULL);
    assert_int_equal(world_ask(w, "ann", 100).count, 1);
    world_close(w, 0);
    world_open(w);
    assert_int_equal(world_ask(w, "ann", 100).count, 1);
    struct live_status status;
    live_status(w->l, &status);
    assert_int_equal(status.items, 1);
}

/* ---- Looking things up ---- */

static void items_are_found(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    struct live_page p;
    world_open(w);
    world_item(w, "1", "Am\xc3\xa9lie (2001)", "[\"Comedy\"]");
    world_item(w, "2", "Matrix, The (1999)", NULL);
    world_item(w, "3", "The Matrix Reloaded", "[\"Comedy\"]");
    world_item(w, "4", "Else", NULL);
    assert_ok(live_items(w->l, "AMELIE", NULL, 0, 10, &w->tmp, &p, &err), &err);
    assert_int_equal(p.count, 1);
    assert_string_equal(p.items[0].item_id, "1");
    assert_string_equal(p.items[0].categories, "[\"Comedy\"]");
    assert_int_equal(p.total, 1);
    for (int again = 0; again < 2; again++) { /* the second time by what is remembered */
        assert_ok(live_items(w->l, "the matrix", NULL, 0, 1, &w->tmp, &p, &err), &err);
        assert_int_equal(p.count, 1);
        assert_int_equal(p.next, 2);
        assert_int_equal(p.total, 2);
    }
    assert_ok(live_items(w->l, "the matrix", NULL, p.next, 1, &w->tmp, &p, &err), &err);
    assert_string_equal(p.items[0].item_id, "3");
    assert_int_equal(p.next, 0);
    assert_int_equal(p.total, 2);
    assert_ok(live_items(w->l, "matrix the", NULL, 2, 1, &w->tmp, &p, &err), &err);
    assert_string_equal(p.items[0].item_id, "3"); /* not asked before: the first page counts too */
    assert_int_equal(p.total, 2);
    assert_ok(live_items(w->l, "matrix 1999", NULL, 0, 9, &w->tmp, &p, &err), &err);
    assert_int_equal(p.count, 1);
    assert_ok(live_items(w->l, NULL, "categories has \"Comedy\"", 0, 9, &w->tmp, &p, &err), &err);
    assert_int_equal(p.count, 2);
    assert_int_equal(p.total, 2);
    assert_null(p.hint);
    assert_ok(live_items(w->l, NULL, "categories has \"Commedy\"", 0, 9, &w->tmp, &p, &err), &err);
    assert_int_equal(p.total, 0);
    assert_string_equal(
        p.hint, "no item has the category 'Commedy': did you mean 'Comedy'? Known are Comedy");
    struct record r = {.kind = RECORD_ITEM_DELETE, .id = "3"};
    assert_ok(live_write_wait(w->l, &r, 1, &err), &err);
    assert_ok(live_items(w->l, "the matrix", NULL, 0, 1, &w->tmp, &p, &err), &err);
    assert_int_equal(p.total, 1); /* what was remembered is of another catalog */
    assert_ok(live_items(w->l, NULL, NULL, 0, 9, &w->tmp, &p, &err), &err);
    assert_int_equal(p.count, 3);
    assert_int_equal(p.total, 3);
    struct item_row row;
    assert_int_equal(live_item(w->l, "3", &w->tmp, &row, &err), PAL_ENOTFOUND);
    assert_ok(live_item(w->l, "2", &w->tmp, &row, &err), &err);
    assert_string_equal(row.title, "Matrix, The (1999)");
}

/* ---- What was served ---- */

static void what_is_served_is_kept(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    struct served_row *served;
    size_t count;
    world_open(w);
    world_item(w, "a \"quoted\" \xf0\x9f\x8d\x95", "Pizza", NULL);
    struct live_answer a = world_ask(w, "ann", 5);
    assert_int_equal(a.count, 1);
    assert_int_equal(strlen(a.recommendation_id), 19);
    assert_ok(live_user_served(w->l, "ann", 10, &w->tmp, &served, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_string_equal(served[0].recommendation_id, a.recommendation_id);
    assert_non_null(strstr(served[0].list, "{\"item_id\":\"a \\\"quoted\\\" \xf0\x9f\x8d\x95\","));
    struct live_request q = request_for(NULL, 5); /* nobody: nothing is kept */
    assert_ok(live_recommend(w->l, &q, &w->tmp, &a, &err), &err);
    assert_string_equal(a.recommendation_id, "");
}

/* The queue is then empty, but has room: world_drop sees whether that is given back. */
static void what_waits_is_forgotten_with_its_user(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    struct served_row *served;
    size_t count;
    struct record r = {.kind = RECORD_USER_DELETE, .id = "ann"};
    world_open(w);
    world_items(w, 20);
    assert_int_equal(world_ask(w, "ann", 5).count, 5);
    assert_ok(live_write_wait(w->l, &r, 1, &err), &err);
    assert_ok(live_user_served(w->l, "ann", 10, &w->tmp, &served, &count, &err), &err);
    assert_int_equal(count, 0);
}

static void what_is_ignored_sinks(void **state)
{
    struct world *w = *state;
    w->config.bandit.ignored = 1;
    w->config.engine.sources = w->config.engine.newcomers = "bandit:50";
    world_open(w);
    world_items(w, 2);
    unsigned first = 0;
    for (int i = 0; i < 200; i++) { /* everybody likes item-1 and looks at a list of both */
        char user[16];
        snprintf(user, sizeof user, "u%d", i);
        world_ask(w, user, 2);
        world_event(w, user, "item-1", "view"); /* no reward, but not ignored either */
        world_ask(w, user, 2);
        arena_reset(&w->tmp);
    }
    for (int i = 0; i < 100; i++) {
        char user[16];
        snprintf(user, sizeof user, "new%d", i);
        struct live_answer a = world_ask(w, user, 1);
        first += strcmp(a.items[0].row.item_id, "item-1") == 0;
    }
    assert_true(first > 60);
}

/* Of 40 items the ten best are shown and ignored; with the clock a day further the next list has
 * none of them, and so after a restart. */
static void what_a_user_ignored_rests(void **state)
{
    enum { LIST = 10 };
    static const int64_t day_ms = 86400000;
    struct world *w = *state;
    char shown[LIST][32];
    int64_t now_ms = 1750000000000;
    struct live_request q = request_for("ann", LIST);
    struct live_answer a;
    struct pal_error err;
    q.explore = 0;
    w->config.seed = 1;
    w->config.engine.newcomers = "popular:40";
    world_open(w);
    live_set_clock(w->l, now_ms);
    world_items(w, 40);
    for (int i = 0; i < 40; i++) {
        char item[32];
        snprintf(item, sizeof item, "item-%d", i);
        for (int j = 0; j < 40 - i; j++)
            world_event(w, "others", item, "view");
    }
    live_keep(w->l);
    assert_ok(live_recommend(w->l, &q, &w->tmp, &a, &err), &err);
    assert_int_equal(a.count, LIST);
    assert_string_equal(a.items[0].row.item_id, "item-0");
    for (size_t i = 0; i < LIST; i++)
        snprintf(shown[i], sizeof shown[i], "%s", a.items[i].row.item_id);
    world_drain(w);
    for (int times = 0; times < 2; times++) {
        live_set_clock(w->l, now_ms + day_ms);
        q.user_id = times ? "ann" : "bob"; /* bob has ignored nothing */
        assert_ok(live_recommend(w->l, &q, &w->tmp, &a, &err), &err);
        assert_int_equal(a.count, LIST);
        for (size_t i = 0; i < LIST; i++)
            assert_int_equal(answer_has(&a, shown[i]), !times);
        world_close(w, 10000);
        world_open(w);
        pthread_join(w->l->counter, NULL);
        w->l->counting = false;
        live_keep(w->l);
    }
}

static void what_was_ignored_is_remembered(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    double alpha, beta, before;
    w->config.bandit.ignored = 1;
    w->config.bandit.half_life_days = 0;
    w->config.engine.sources = w->config.engine.newcomers = "popular:50";
    world_open(w);
    world_items(w, 3);
    world_event(w, "ann", "item-1", "view");
    for (int i = 0; i < 41; i++)
        world_ask(w, "ann", 3);
    bandit_posterior(w->l->bandit, 2, live_now_ms(w->l), &alpha, &before);
    world_drain(w);
    for (int i = 0; i < 3; i++) { /* the second time from what the first one brought back */
        world_close(w, 10000);
        world_open(w);
        do { /* counted in the background */
            usleep(1000);
            bandit_posterior(w->l->bandit, 2, live_now_ms(w->l), &alpha, &beta);
        } while (beta + 0.01 < before);
        assert_true(beta < before + 0.01);
    }
    assert_true(before > w->config.bandit.prior_beta + 1.99); /* 40 lists, a 20th each */
    struct record clear = {.kind = RECORD_CLEAR};
    assert_ok(live_write_wait(w->l, &clear, 1, &err), &err);
    world_items(w, 3);
    world_event(w, "ann", "item-1", "view");
    world_close(w, 10000);
    world_open(w);
    pthread_join(w->l->counter, NULL);
    w->l->counting = false;
    bandit_posterior(w->l->bandit, 2, live_now_ms(w->l), &alpha, &beta);
    assert_true(beta < w->config.bandit.prior_beta + 0.01);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_drop)
    const struct CMUnitTest tests[] = {
        TEST(the_next_answer_knows),
        TEST(taste_counts_before_any_training),
        TEST(a_restart_keeps_everything),
        TEST(a_second_one_is_refused),
        TEST(bad_records_are_named),
        TEST(bad_requests_are_refused),
        TEST(an_empty_catalog_answers),
        TEST(a_retry_counts_once),
        TEST(a_deleted_user_is_gone),
        TEST(cleared_means_everything),
        TEST(items_are_found),
        TEST(what_is_served_is_kept),
        TEST(what_waits_is_forgotten_with_its_user),
        TEST(what_is_ignored_sinks),
        TEST(what_a_user_ignored_rests),
        TEST(what_was_ignored_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
