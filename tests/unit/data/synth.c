/* Invented worlds: the same at any thread count, whole and consistent as a data set, with people
 * who say what they prefer; and titles that are fit to be read. */
#include "test.h"

#include "data/synth.h"
#include "data/synth_films.h"

#include <ctype.h>
#include <math.h>

static struct synth_options small(void)
{
    struct synth_options o;
    opt_defaults(&synth_table, &o);
    o.users = 300;
    o.items = 400;
    o.events = 12000;
    return o;
}

static struct dataset *invent(const struct synth_options *o, uint64_t seed, unsigned threads,
                              struct world **world)
{
    struct pal_error err;
    struct run run = {0};
    struct dataset *d;
    assert_ok(pool_new(threads, &run.pool, &err), &err);
    assert_ok(world_new(o, seed, &run, world, &err), &err);
    assert_ok(world_dataset(*world, &d, &err), &err);
    pool_free(run.pool);
    return d;
}

static void the_same_at_any_thread_count(void **state)
{
    (void)state;
    struct synth_options o = small();
    struct world *w, *v;
    struct dataset *d = invent(&o, 1, 1, &w);
    for (unsigned threads = 2; threads <= 4; threads++) {
        struct dataset *e = invent(&o, 1, threads, &v);
        assert_true(dataset_fingerprint(d) == dataset_fingerprint(e));
        for (uint32_t i = 0; i < 400; i++) {
            assert_string_equal(items_name(&d->items, i), items_name(&e->items, i));
            assert_true(world_preference(w, 7, i, 1680000000) ==
                        world_preference(v, 7, i, 1680000000));
        }
        dataset_free(e);
        world_free(v);
    }
    struct dataset *e = invent(&o, 2, 1, &v);
    assert_true(dataset_fingerprint(d) != dataset_fingerprint(e));
    dataset_free(e);
    world_free(v);
    dataset_free(d);
    world_free(w);
}

static void a_whole_data_set(void **state)
{
    (void)state;
    struct synth_options o = small();
    struct world *w;
    struct dataset *d = invent(&o, 3, 2, &w);
    const struct interactions *x = &d->all;
    assert_int_equal(x->users, 300);
    assert_int_equal(x->items, 400);
    assert_int_equal(d->users.ids.count, 300);
    assert_int_equal(d->items.ids.count, 400);
    assert_string_equal(intern_text(&d->users.ids, 41), "42");
    assert_true(fabs((double)interactions_count(x) - 12000) < 12000 * .15);
    uint32_t first = 1672531200, last = first + 730 * 86400;
    uint64_t types[3] = {0};
    uint8_t met[400];
    for (uint32_t u = 0; u < 300; u++) {
        memset(met, 0, sizeof met);
        assert_in_range(x->start[u + 1] - x->start[u], 1, 200);
        for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++) {
            assert_int_equal(met[x->item[i]], 0); /* nobody meets a film twice */
            met[x->item[i]] = 1;
            assert_in_range(x->time_s[i], i > x->start[u] ? x->time_s[i - 1] : first, last);
            types[x->type[i]]++;
        }
    }
    assert_string_equal(d->types.name[1], "like");
    for (int t = 0; t < 3; t++)
        assert_true(types[t] > interactions_count(x) / 20);
    for (uint32_t i = 0; i < 400; i++) {
        uint32_t n;
        labels_at(&d->items.categories, i, &n);
        assert_in_range(n, 1, 3);
        assert_non_null(strstr(texts_at(&d->items.attributes, i), "{\"year\":"));
    }
    assert_in_range(d->items.categories.names.count, 10, FILM_GENRES);
    dataset_free(d);
    world_free(w);
}

/* "Words That Begin Well (1999)", no two alike even without the year. */
static void titles_read_well(void **state)
{
    (void)state;
    struct pal_error err;
    struct synth_options o = small();
    o.items = 60000;
    o.users = 10;
    o.events = 100;
    struct world *w;
    struct dataset *d = invent(&o, 4, 1, &w);
    struct intern bases = {0};
    uint32_t sequels = 0;
    for (uint32_t i = 0; i < 60000; i++) {
        const char *title = items_name(&d->items, i);
        size_t len = strlen(title);
        uint32_t number;
        int year = atoi(title + len - 5);
        assert_true(len > 10 && len < 70 && title[len - 1] == ')' && title[len - 6] == '(');
        assert_in_range(year, 1930, 2024);
        assert_true(isupper((unsigned char)title[0]));
        assert_null(strstr(title, "  "));
        assert_null(strchr(title, ','));
        bool an = strncmp(title, "An ", 3) == 0, a = strncmp(title, "A ", 2) == 0;
        if (a || an)
            assert_int_equal(strchr("AEIOU", title[2 + an]) != NULL, an);
        sequels += isdigit((unsigned char)title[len - 8]) != 0;
        assert_ok(intern_add(&bases, title, len - 7, &number, &err), &err);
        assert_int_equal(number, i);
    }
    assert_true(sequels > 1000 && sequels < 40000);
    intern_done(&bases);
    dataset_free(d);
    world_free(w);
}

/* What people say follows the true preference at that time, and what they meet follows both it and
 * what is popular. */
static void people_say_what_they_prefer(void **state)
{
    (void)state;
    struct synth_options o = small();
    struct world *w;
    struct dataset *d = invent(&o, 5, 2, &w);
    const struct interactions *x = &d->all;
    double sum[3] = {0}, count[3] = {0}, any = 0, above = 0, pairs = 0;
    uint32_t audience[400] = {0};
    for (uint32_t u = 0; u < 300; u++) {
        for (uint64_t i = x->start[u]; i < x->start[u + 1]; i++) {
            float p = world_preference(w, u, x->item[i], x->time_s[i]);
            sum[x->type[i]] += p;
            count[x->type[i]]++;
            audience[x->item[i]]++;
        }
        for (uint32_t i = 0; i < 400; i++, pairs++) {
            float p = world_preference(w, u, i, 1672531200 + 365 * 86400);
            any += p;
            above += p > 0;
        }
    }
    double view = sum[0] / count[0], like = sum[1] / count[1], dislike = sum[2] / count[2];
    assert_true(like > .3 && view < like - .3 && dislike < view - .3);
    assert_true(any / pairs < dislike);
    assert_true(above / pairs > .04 && above / pairs < .11);
    uint32_t most = 0;
    for (uint32_t i = 0; i < 400; i++)
        most = audience[i] > most ? audience[i] : most;
    assert_true(most > 3 * interactions_count(x) / 400);
    dataset_free(d);
    world_free(w);
}

static void tastes_drift(void **state)
{
    (void)state;
    struct synth_options o = small();
    uint32_t from = 1672531200, to = from + 730 * 86400;
    for (int turn = 0; turn < 2; turn++) {
        struct world *w;
        o.drift = turn;
        struct dataset *d = invent(&o, 6, 1, &w);
        double moved = 0;
        for (uint32_t i = 0; i < 400; i++)
            moved += fabsf(world_preference(w, 9, i, from) - world_preference(w, 9, i, to));
        assert_true(turn ? moved > 40 : moved == 0);
        assert_true(world_preference(w, 9, 0, 0) == world_preference(w, 9, 0, from));
        dataset_free(d);
        world_free(w);
    }
}

static void options_decide(void **state)
{
    (void)state;
    struct pal_error err;
    struct synth_options o = small();
    struct world *w = NULL;
    struct dataset *d, *again;
    o.events = 60001;
    assert_int_equal(world_new(&o, 1, NULL, &w, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "60000"));
    assert_null(w);
    o.events = 60000; /* all that there can be: everyone meets half of the films */
    o.genres = 1;
    o.latent = 2;
    o.noise = 0;
    d = invent(&o, 1, 1, &w);
    assert_int_equal(d->items.categories.names.count, 1);
    assert_string_equal(intern_text(&d->items.categories.names, 0), film_genre(0));
    for (uint64_t i = 0, u = 0; i < interactions_count(&d->all); i++) {
        while (d->all.start[u + 1] <= i)
            u++;
        float p = world_preference(w, (uint32_t)u, d->all.item[i], d->all.time_s[i]);
        assert_int_equal(d->all.type[i] == 1, p > 0); /* without noise a like is a like */
    }
    assert_int_equal(world_dataset(w, &again, &err), PAL_EUSAGE);
    dataset_free(d);
    world_free(w);
}

static void out_of_memory_leaves_nothing(void **state)
{
    (void)state;
    struct pal_error err;
    struct synth_options o = small();
    o.users = 20;
    o.items = 30;
    o.events = 100;
    enum pal_status st = PAL_ENOMEM;
    long at = 1;
    for (; st != PAL_OK; at++) {
        struct world *w = NULL;
        long live = mem_live();
        mem_fail_at(at);
        st = world_new(&o, 1, NULL, &w, &err);
        mem_fail_at(0);
        if (st != PAL_OK)
            assert_int_equal(st, PAL_ENOMEM);
        world_free(w);
        assert_int_equal(mem_live(), live);
        assert_true(at < 500);
    }
    assert_true(at > 20);
    atomic_int stop = 1;
    struct run run = {.stop = &stop};
    struct world *w;
    assert_int_equal(world_new(&o, 1, &run, &w, &err), PAL_EINTERRUPTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_at_any_thread_count),
        cmocka_unit_test(a_whole_data_set),
        cmocka_unit_test(titles_read_well),
        cmocka_unit_test(people_say_what_they_prefer),
        cmocka_unit_test(tastes_drift),
        cmocka_unit_test(options_decide),
        cmocka_unit_test(out_of_memory_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
