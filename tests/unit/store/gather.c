/* A data set of a store and of changes that are on their way to it is that of a store which has
 * applied them all: for every way to part a random history in two, as a naive store has it. */
#include "test.h"

#include <inttypes.h>

#include "world.h"

static int by_time(const void *a, const void *b)
{
    const struct event *const *x = a, *const *y = b;
    int64_t s = (*x)->time_ms / 1000, t = (*y)->time_ms / 1000;
    if (s != t)
        return s < t ? -1 : 1;
    return *x < *y ? -1 : *x > *y; /* they lie in one array, in the order of arrival */
}

static void naive_histories(const struct naive *w, struct str *s)
{
    static const struct event *events[WORLD_MOST];
    for (size_t u = 0; u < w->user_count; u++) {
        size_t n = 0;
        str_fmt(s, "user %s|%s\n", w->user[u].id,
                w->user[u].row ? or_none(w->user[u].row->attributes) : "");
        for (size_t i = 0; i < w->n; i++)
            if (w->alive[i] && w->h->change[i].record.kind == RECORD_EVENT &&
                strcmp(w->h->change[i].record.event.user_id, w->user[u].id) == 0)
                events[n++] = &w->h->change[i].record.event;
        qsort(events, n, sizeof *events, by_time);
        for (size_t i = 0; i < n; i++)
            str_fmt(s, " %s %s %g %lld\n", events[i]->item_id, events[i]->type, events[i]->value,
                    (long long)events[i]->time_ms / 1000);
    }
}

static void naive_dataset(const struct naive *w, struct str *s)
{
    for (size_t i = 0; i < w->item_count; i++) {
        const struct item_row *row = w->item[i].deleted ? NULL : w->item[i].row;
        str_fmt(s, "item %s|%s|%s|%s\n", w->item[i].id, row ? or_none(row->title) : "",
                row ? or_none(row->attributes) : "",
                row && row->categories && *row->categories ? row->categories : "[]");
    }
    naive_histories(w, s);
}

static void dataset_text(const struct dataset *d, struct str *s)
{
    for (uint32_t i = 0; i < d->items.ids.count; i++) {
        uint32_t n;
        const uint32_t *labels = labels_at(&d->items.categories, i, &n);
        str_fmt(s, "item %s|%s|%s|[", intern_text(&d->items.ids, i), texts_at(&d->items.titles, i),
                texts_at(&d->items.attributes, i));
        for (uint32_t j = 0; j < n; j++)
            str_fmt(s, "%s\"%s\"", j ? "," : "",
                    intern_text(&d->items.categories.names, labels[j]));
        str_put(s, "]\n");
    }
    for (uint32_t u = 0; u < d->users.ids.count; u++) {
        str_fmt(s, "user %s|%s\n", intern_text(&d->users.ids, u),
                texts_at(&d->users.attributes, u));
        for (uint64_t i = d->all.start[u]; i < d->all.start[u + 1]; i++)
            str_fmt(s, " %s %s %g %u\n", intern_text(&d->items.ids, d->all.item[i]),
                    d->types.name[interactions_type(&d->all, i)], interactions_value(&d->all, i),
                    interactions_time(&d->all, i));
    }
}

static void assert_dataset_is(struct store *store, const struct store_change *more, size_t count,
                              const struct naive *w, uint64_t expected_position)
{
    struct pal_error err;
    struct dataset *d;
    struct str is = {0}, expected = {0};
    uint64_t position;
    assert_ok(store_dataset(store, more, count, NULL, &d, &position, &err), &err);
    dataset_text(d, &is);
    naive_dataset(w, &expected);
    assert_string_equal(str_text(&is), str_text(&expected));
    assert_int_equal(position, expected_position);
    str_done(&is);
    str_done(&expected);
    dataset_free(d);
}

static void any_part_may_be_on_its_way(void **state)
{
    struct scene *w = *state;
    static struct history_of_site h;
    static struct naive naive;
    for (uint64_t seed = 1; seed <= 8; seed += is_elsewhere() ? 3 : 1) {
        invent(&h, 700, 100 + seed, seed % 4 == 0);
        memset(&naive, 0, sizeof naive);
        naive.h = &h;
        while (naive.n < h.count)
            naive_step(&naive);
        begin_anew(w);
        for (size_t at = 0; at < h.count; at += 50) {
            /* some that are in the store come again */
            size_t again = at < 30 ? at : 30;
            assert_dataset_is(w->s, h.change + at - again, h.count - at + again, &naive, at);
            apply(w->s, h.change + at, 50, at + 50);
        }
        assert_dataset_is(w->s, NULL, 0, &naive, h.count);
    }
}

static void an_empty_store_is_an_empty_data_set(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct dataset *d;
    assert_ok(store_dataset(w->s, NULL, 0, NULL, &d, NULL, &err), &err);
    assert_int_equal(interactions_count(&d->all), 0);
    assert_int_equal(d->items.ids.count, 0);
    assert_string_equal(d->format, "store");
    assert_string_equal(d->name, "store");
    dataset_free(d);
}

/* Without any times the order of arrival is the order. */
static void no_times(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct dataset *d;
    struct store_change c[] = {event_change(0, "u", "b", "like", 0, NULL),
                               event_change(0, "u", "a", "like", 0, NULL)};
    apply(w->s, c, 2, 0);
    assert_ok(store_dataset(w->s, c, 1, NULL, &d, NULL, &err), &err);
    assert_null(d->all.time_s);
    assert_int_equal(interactions_count(&d->all), 3);
    assert_int_equal(d->all.item[0], 0);
    assert_int_equal(d->all.item[1], 1);
    assert_int_equal(d->all.item[2], 0);
    dataset_free(d);
}

static void a_read_is_stopped(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct dataset *d;
    atomic_int stop = 1;
    struct run run = {.stop = &stop};
    struct store_change c = event_change(0, "u", "b", "like", 0, NULL);
    apply(w->s, &c, 1, 0);
    assert_int_equal(store_dataset(w->s, NULL, 0, &run, &d, NULL, &err), PAL_EINTERRUPTED);
}

int main(void)
{
#define IN_A_STORE(test) cmocka_unit_test_setup_teardown(test, begin_scene, end_scene)
    const struct CMUnitTest tests[] = {
        IN_A_STORE(any_part_may_be_on_its_way),
        IN_A_STORE(an_empty_store_is_an_empty_data_set),
        IN_A_STORE(no_times),
        IN_A_STORE(a_read_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
