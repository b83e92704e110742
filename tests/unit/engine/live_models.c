/* Models under a running recommender: two versions of which one always says "a…" and the other
 * always "b…" are swapped while everybody asks, and no answer is ever of both; a damaged version is
 * passed over; models that were trained elsewhere bring their items. */
#include "live_world.h"

#include "fake_bus.h"

#include "engine/live_inside.h"
#include "engine/version.h"
#include "registry/registry.h"

#include <jansson.h>
#include <stdatomic.h>

enum { HALF = 12, PEOPLE = 30 };

/* Items "h", a0 … a11, b0 … b11. Who has h has the a's (or the b's) too, and nothing else. */
static void add_items(struct items *items)
{
    struct pal_error err;
    uint32_t number;
    assert_ok(intern_add(&items->ids, "h", 1, &number, &err), &err);
    for (int side = 'a'; side <= 'b'; side++)
        for (int i = 0; i < HALF; i++) {
            char id[8];
            int len = snprintf(id, sizeof id, "%c%d", side, i);
            assert_ok(intern_add(&items->ids, id, (size_t)len, &number, &err), &err);
        }
    for (uint32_t i = 0; i < items->ids.count; i++) {
        assert_ok(texts_add(&items->titles, "Title", 5, &err), &err);
        assert_ok(labels_add(&items->categories, "Kind \"x\"", 8, &err), &err);
        assert_ok(labels_end_row(&items->categories, &err), &err);
    }
}

static struct model *train(const struct dataset *d, const char *name)
{
    struct weights weights;
    struct training t;
    struct model *m = NULL;
    struct pal_error err;
    assert_ok(weights_parse("*:1", &weights, &err), &err);
    assert_ok(training_make(d, &d->all, &weights, NULL, &t, &err), &err);
    assert_ok(model_fit(model_find(name), NULL, &t, 0, NULL, &m, &err), &err);
    training_done(&t);
    return m;
}

/* Publishes a version whose models speak for the items of one side. */
static void publish(struct world *w, char side)
{
    struct pal_error err;
    struct dataset *d = dataset_new();
    struct rows *rows;
    uint32_t user;
    uint8_t type;
    add_items(&d->items);
    assert_ok(event_type_add(&d->types, "like", 4, &type, &err), &err);
    assert_ok(rows_new(&rows, &err), &err);
    for (uint32_t u = 0; u < PEOPLE; u++) {
        char id[16];
        int len = snprintf(id, sizeof id, "p%u", u);
        assert_ok(intern_add(&d->users.ids, id, (size_t)len, &user, &err), &err);
        assert_ok(rows_add(rows, (struct row){u, 0, 1, u + 1}, 0, &err), &err);
        for (uint32_t i = 0; i < HALF; i++)
            if ((u + i) % 3)
                assert_ok(rows_add(rows,
                                   (struct row){u, 1 + (side == 'b' ? HALF : 0) + i, 1, u + 2}, 0,
                                   &err),
                          &err);
    }
    assert_ok(rows_finish(rows, PEOPLE, d->items.ids.count, true, &d->all, &err), &err);
    rows_free(rows);
    struct version_part part[] = {{.model = train(d, "ease")}, {.model = train(d, "popular")}};
    struct registry_version v;
    assert_ok(registry_begin(w->models, &v, &err), &err);
    assert_ok(version_write(v.path, &d->items, part, 2, &err), &err);
    assert_ok(registry_publish(w->models, &v, 1, &err), &err);
    model_free(part[0].model);
    model_free(part[1].model);
    dataset_free(d);
}

/* ---- Swapping under load ---- */

struct asker {
    struct world *w;
    atomic_bool *stop;
    atomic_uint bad, asked;
};

static void *ask_on(void *arg)
{
    struct asker *me = arg;
    struct arena tmp;
    struct pal_error err;
    arena_init(&tmp);
    while (!atomic_load(me->stop)) {
        struct live_request q = request_for("ann", HALF);
        struct live_answer a;
        q.explain = true;
        bool good = live_recommend(me->w->l, &q, &tmp, &a, &err) == PAL_OK && a.count == HALF;
        const char side = a.model_version % 2 ? 'a' : 'b';
        for (size_t i = 0; good && i < a.count; i++)
            good = a.items[i].row.item_id[0] == side && strcmp(a.items[i].source, "ease") == 0;
        atomic_fetch_add(&me->bad, !good);
        atomic_fetch_add(&me->asked, 1);
        arena_reset(&tmp);
    }
    arena_done(&tmp);
    return NULL;
}

static void no_answer_is_of_two_versions(void **state)
{
    enum { ASKERS = 3, SWAPS = 100 };
    struct world *w = *state;
    struct pal_error err;
    struct asker asker[ASKERS] = {0};
    pthread_t thread[ASKERS];
    atomic_bool stop = false;
    publish(w, 'a');
    publish(w, 'b');
    w->config.engine.sources = "ease:50";
    w->config.engine.ignored = 1; /* or ann would be shown something else in the end */
    world_open(w);
    world_event(w, "ann", "h", "like");
    for (int i = 0; i < ASKERS; i++) {
        asker[i] = (struct asker){.w = w, .stop = &stop};
        pthread_create(&thread[i], NULL, ask_on, &asker[i]);
    }
    for (uint32_t i = 0; i < SWAPS; i++) {
        unsigned before = atomic_load(&asker[0].asked);
        assert_ok(live_activate(w->l, 1 + i % 2, &err), &err);
        if (i % 10 == 0) /* items come in the middle of it */
            world_item(w, i % 20 ? "later" : "latest", "Later", NULL);
        while (atomic_load(&asker[0].asked) == before) /* each version is asked */
            sched_yield();
    }
    atomic_store(&stop, true);
    for (int i = 0; i < ASKERS; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(asker[i].bad, 0);
    }
    uint32_t version = 0;
    assert_ok(live_reload(w->l, &version, &err), &err);
    assert_int_equal(version, 2);
}

/* The second of two versions is from 2030. With the first live again, trained last is still the
 * second, also after a restart: only what came since would be reason to train. */
static void an_earlier_version_is_not_the_last_training(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    struct live_status s;
    struct registry_version second;
    char path[PATH_MAX + 32];
    const int64_t in_2030_s = 1893456000;
    publish(w, 'a');
    publish(w, 'b');
    assert_ok(registry_find(w->models, 2, &second, &err), &err);
    snprintf(path, sizeof path, "%s/manifest.json", second.path);
    json_t *manifest = json_load_file(path, 0, NULL);
    json_object_set_new(manifest, "created_s", json_integer(in_2030_s));
    assert_int_equal(json_dump_file(manifest, path, 0), 0);
    json_decref(manifest);
    world_open(w);
    world_event(w, "ann", "h", "like");
    live_status(w->l, &s);
    assert_int_equal(s.events_since_training, 1);
    for (int times = 0; times < 2; times++) {
        assert_ok(live_activate(w->l, 1, &err), &err);
        live_status(w->l, &s);
        assert_int_equal(s.model_version, 1);
        assert_int_equal(s.trained_ms, in_2030_s * 1000);
        assert_int_equal(s.events_since_training, 0);
        world_drain(w);
        world_close(w, 10000);
        world_open(w);
        pthread_join(w->l->counter, NULL);
        w->l->counting = false;
        live_status(w->l, &s);
        assert_int_equal(s.model_version, 1);
        assert_int_equal(s.trained_ms, in_2030_s * 1000);
        assert_int_equal(s.events_since_training, 0);
    }
}

/* ---- Starting ---- */

/* A live_log_fn: publishes while the server is on its way up. */
static void say_and_publish(void *ctx, enum live_level level, const char *message)
{
    world_say(ctx, level, message);
    if (strstr(message, "the store was empty"))
        publish(ctx, 'b');
}

/* One that was read before and one that is live when watching begins: it is loaded all the same. */
static void what_is_published_while_it_starts_is_loaded(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    struct live_status s = {0};
    broker_make();
    publish(w, 'a');
    w->config.live.stream = "fake:x";
    w->config.live.models_poll_ms = 10;
    assert_ok(live_open(&w->config, say_and_publish, w, &w->l, &err), &err);
    for (int tries = 0; s.model_version != 2 && tries < 10000; tries++, usleep(1000))
        live_status(w->l, &s);
    assert_int_equal(s.model_version, 2);
    world_close(w, 0);
    broker_drop();
}

static void models_bring_their_items(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    struct item_row row;
    publish(w, 'a');
    world_open(w);
    assert_true(world_said(w, "the store was empty"));
    assert_ok(live_item(w->l, "b3", &w->tmp, &row, &err), &err);
    assert_string_equal(row.categories, "[\"Kind \\\"x\\\"\"]");
    assert_string_equal(row.title, "Title");
    struct live_status status;
    live_status(w->l, &status);
    assert_int_equal(status.items, 2 * HALF + 1);
    assert_int_equal(status.model_version, 1);
    assert_int_equal(status.model_items, 2 * HALF + 1);
    world_close(w, 10000);
    w->log[0] = 0;
    world_open(w); /* once */
    assert_false(world_said(w, "the store was empty"));
    assert_ok(live_item(w->l, "b3", &w->tmp, &row, &err), &err);
}

static void remove_item(struct world *w, const char *id)
{
    struct pal_error err;
    struct record r = {.kind = RECORD_ITEM_DELETE, .id = id};
    assert_ok(live_write_wait(w->l, &r, 1, &err), &err);
}

/* Neither the models that know it nor an event that names it bring a deleted item back. */
static void what_was_deleted_stays_so(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    struct item_row row;
    struct live_status status;
    char id[8];
    publish(w, 'a');
    world_open(w);
    remove_item(w, "h");
    for (int i = 0; i < 2 * HALF; i++) {
        snprintf(id, sizeof id, "%c%d", i < HALF ? 'a' : 'b', i % HALF);
        remove_item(w, id);
    }
    live_status(w->l, &status);
    assert_int_equal(status.items, 0);
    for (int again = 0; again < 2; again++) {
        world_close(w, 10000);
        world_open(w);
        assert_int_equal(live_item(w->l, "h", &w->tmp, &row, &err), PAL_ENOTFOUND);
        world_event(w, "ann", "a0", "like");
        assert_int_equal(live_item(w->l, "a0", &w->tmp, &row, &err), PAL_ENOTFOUND);
        live_status(w->l, &status);
        assert_int_equal(status.items, 0);
        assert_int_equal(status.items_available, 0);
    }
    world_item(w, "a0", "Back", NULL);
    live_status(w->l, &status);
    assert_int_equal(status.items, 1);
}

static void a_store_with_items_keeps_to_them(void **state)
{
    struct world *w = *state;
    struct live_status status;
    world_open(w);
    world_item(w, "a0", "The only one", NULL);
    world_close(w, 0);
    publish(w, 'a');
    world_open(w);
    live_status(w->l, &status);
    assert_int_equal(status.items, 1);
    assert_int_equal(status.model_version, 1);
    world_item(w, "a1", "And another that the model knows", NULL);
    world_event(w, "ann", "h", "like");          /* known to the model, once it is in the catalog */
    for (int tries = 0; tries < 2000; tries++) { /* joined anew within a second or two */
        struct live_answer a = world_ask(w, "ann", 10);
        if (strcmp(a.items[0].source, "ease") == 0)
            break;
        assert_true(tries < 1999);
        usleep(5000);
        arena_reset(&w->tmp);
    }
}

static void damage(struct world *w, int version)
{
    char path[160];
    snprintf(path, sizeof path, "%s/00000%d/ease.safetensors", w->models, version);
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    fseek(f, -20, SEEK_END);
    fputc('?', f);
    fclose(f);
}

static void a_damaged_version_is_passed_over(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    struct live_status status;
    publish(w, 'a');
    publish(w, 'b');
    publish(w, 'a');
    damage(w, 3);
    world_open(w);
    assert_true(world_said(w, "version 2 answers instead of the live one"));
    live_status(w->l, &status);
    assert_int_equal(status.model_version, 2);
    /* asked for while running, it is refused and what is loaded stays */
    assert_int_equal(live_reload(w->l, NULL, &err), PAL_ECORRUPT);
    assert_int_equal(live_activate(w->l, 3, &err), PAL_ECORRUPT);
    live_status(w->l, &status);
    assert_int_equal(status.model_version, 2);
    assert_ok(live_activate(w->l, 1, &err), &err);
    live_status(w->l, &status);
    assert_int_equal(status.model_version, 1);
    world_close(w, 0);
    damage(w, 1);
    damage(w, 2);
    w->log[0] = 0;
    world_open(w);
    assert_true(world_said(w, "no models are loaded"));
    assert_true(world_ask(w, "ann", 5).count == 5);
}

static void what_was_cleared_does_not_come_back(void **state)
{
    struct world *w = *state;
    struct pal_error err;
    struct live_status status;
    struct record clear = {.kind = RECORD_CLEAR};
    publish(w, 'a');
    world_open(w);
    assert_ok(live_write_wait(w->l, &clear, 1, &err), &err);
    live_status(w->l, &status);
    assert_int_equal(status.items, 0);
    assert_int_equal(status.model_version, 0);
    world_drain(w);
    world_close(w, 10000);
    world_open(w);
    live_status(w->l, &status);
    assert_int_equal(status.items, 0);
    assert_int_equal(status.model_version, 0);
    assert_ok(live_reload(w->l, NULL, &err), &err); /* unless somebody says so */
    live_status(w->l, &status);
    assert_int_equal(status.model_version, 1);
    assert_int_equal(status.items, 0);
    world_close(w, 10000);
    world_open(w);
    live_status(w->l, &status);
    assert_int_equal(status.model_version, 1);
    assert_int_equal(status.items, 0); /* their items don't */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_drop)
    const struct CMUnitTest tests[] = {
        TEST(no_answer_is_of_two_versions),
        TEST(an_earlier_version_is_not_the_last_training),
        TEST(what_is_published_while_it_starts_is_loaded),
        TEST(models_bring_their_items),
        TEST(what_was_deleted_stays_so),
        TEST(a_store_with_items_keeps_to_them),
        TEST(a_damaged_version_is_passed_over),
        TEST(what_was_cleared_does_not_come_back),
    };
    bus_add_kind(&fake_bus_ops);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
