/* The public library against the parts below it, over every model there is: what a handle answers
 * must be what the model says of the same history, however the data came in. The rest is the
 * contract of palate.h, call by call. */
#include "test.h"

#include "base/rng.h"
#include "model/model.h"

#include <pthread.h>
#include <unistd.h>

enum { USERS = 60, ITEMS = 40, EVENTS = 900, TYPES = 3 };
static const char *const types[TYPES] = {"like", "dislike", "view"};

struct event {
    uint32_t user, item, type, time_s;
};

/* Two tastes: even users like even items. Some events come late. */
static void make_events(struct event *e)
{
    struct rng rng;
    rng_init(&rng, 11, 0);
    for (uint32_t i = 0; i < EVENTS; i++) {
        uint32_t user = (uint32_t)rng_below(&rng, USERS), item = (uint32_t)rng_below(&rng, ITEMS);
        bool match = (user + item) % 2 == 0;
        uint32_t type = rng_below(&rng, 5) == 0 ? 2 : match != (rng_below(&rng, 8) == 0) ? 0 : 1;
        uint32_t late = rng_below(&rng, 10) == 0 ? 500 : 0;
        e[i] = (struct event){user, item, type, 1000000 + i - late};
    }
}

static void item_name(char buf[16], uint32_t item)
{
    snprintf(buf, 16, "item%u", item);
}

static void user_name(char buf[16], uint32_t user)
{
    snprintf(buf, 16, "user%u", user);
}

static void add_items(struct palate *p)
{
    struct pal_error err;
    for (uint32_t i = 0; i < ITEMS; i++) {
        char id[16], title[32];
        item_name(id, i);
        snprintf(title, sizeof title, "Film Number %u (1999)", i);
        assert_ok(pal_add_item(p, id, title, i % 2 ? "Odd|Film" : "Even|Film", &err), &err);
    }
}

static void add_events(struct palate *p, const struct event *e, size_t n)
{
    struct pal_error err;
    for (size_t i = 0; i < n; i++) {
        char user[16], item[16];
        user_name(user, e[i].user);
        item_name(item, e[i].item);
        assert_ok(pal_add_event(p, user, item, types[e[i].type], 1, e[i].time_s, &err), &err);
    }
}

static struct palate *make_handle(void)
{
    struct palate *p = NULL;
    struct event e[EVENTS];
    struct pal_error err;
    assert_ok(pal_open(NULL, &p, &err), &err);
    add_items(p);
    make_events(e);
    add_events(p, e, EVENTS);
    return p;
}

/* The same data set, put together from the parts. */
static struct dataset *make_dataset(void)
{
    struct dataset *d = dataset_new();
    struct event e[EVENTS];
    struct rows *rows;
    struct pal_error err;
    uint32_t number;
    make_events(e);
    for (uint32_t i = 0; i < ITEMS; i++) {
        char id[16], title[32];
        item_name(id, i);
        snprintf(title, sizeof title, "Film Number %u (1999)", i);
        assert_ok(intern_add(&d->items.ids, id, strlen(id), &number, &err), &err);
        assert_ok(texts_add(&d->items.titles, title, strlen(title), &err), &err);
        struct labels *l = &d->items.categories;
        const char *genre = i % 2 ? "Odd" : "Even";
        assert_ok(labels_add(l, genre, strlen(genre), &err), &err);
        assert_ok(labels_add(l, "Film", 4, &err), &err);
        assert_ok(labels_end_row(l, &err), &err);
    }
    assert_ok(rows_new(&rows, &err), &err);
    for (size_t i = 0; i < EVENTS; i++) {
        char id[16];
        uint8_t type;
        user_name(id, e[i].user);
        assert_ok(intern_add(&d->users.ids, id, strlen(id), &number, &err), &err);
        assert_ok(
            event_type_add(&d->types, types[e[i].type], strlen(types[e[i].type]), &type, &err),
            &err);
        assert_ok(rows_add(rows, (struct row){number, e[i].item, 1, e[i].time_s}, type, &err),
                  &err);
    }
    assert_ok(rows_finish(rows, d->users.ids.count, ITEMS, true, &d->all, &err), &err);
    rows_free(rows);
    return d;
}

/* The list must be the model's own top of the history, as far as that says something. */
static void check_user(const struct palate *p, const struct dataset *d, const struct model *m,
                       const struct weights *w, uint32_t user)
{
    struct arena tmp = {0};
    struct history h;
    struct scored top[ITEMS];
    struct pal_list *list;
    struct pal_error err;
    uint8_t skip[ITEMS] = {0};
    size_t count, liked = 0;
    for (uint64_t i = d->all.start[user]; i < d->all.start[user + 1]; i++)
        skip[d->all.item[i]] = 1;
    assert_ok(history_of(&d->all, &d->types, w, user, &tmp, &h, &err), &err);
    for (size_t i = 0; i < h.n; i++)
        liked += h.weight[i] > 0;
    assert_ok(model_top(m, &h, skip, ITEMS, &tmp, top, &count, &err), &err);
    assert_ok(pal_recommend(p, intern_text(&d->users.ids, user), ITEMS, &list, &err), &err);
    assert_int_equal(list->count, count);
    for (size_t i = 0; i < count && liked && top[i].score > 0; i++) {
        assert_string_equal(list->item[i].item_id, intern_text(&d->items.ids, top[i].index));
        assert_string_equal(list->item[i].title, items_name(&d->items, top[i].index));
        assert_string_equal(list->item[i].source, m->ops->name);
        assert_true(list->item[i].score == top[i].score);
    }
    pal_list_free(list);
    arena_done(&tmp);
}

static void answers_are_the_model_s(void **state)
{
    struct dataset *d = make_dataset();
    struct weights w;
    struct training t;
    struct pal_error err;
    struct run run = {.seed = 3};
    assert_ok(weights_parse(weights_default, &w, &err), &err);
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    for (size_t i = 0; model_at(i); i++) {
        struct model *m;
        struct palate *p = make_handle();
        pal_set_seed(p, 3);
        assert_ok(pal_train(p, model_at(i)->name, NULL, &err), &err);
        assert_ok(model_fit(model_at(i), NULL, &t, 0, &run, &m, &err), &err);
        for (uint32_t user = 0; user < d->users.ids.count; user++)
            check_user(p, d, m, &w, user);
        model_free(m);
        pal_close(p);
    }
    training_done(&t);
    dataset_free(d);
}

static void check_same_lists(const struct pal_list *a, const struct pal_list *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_string_equal(a->item[i].item_id, b->item[i].item_id);
        assert_string_equal(a->item[i].title, b->item[i].title);
        assert_string_equal(a->item[i].source, b->item[i].source);
        assert_true(a->item[i].score == b->item[i].score);
        assert_int_equal(a->item[i].reason_count, b->item[i].reason_count);
        for (size_t j = 0; j < a->item[i].reason_count; j++) {
            assert_string_equal(a->item[i].reason[j].item_id, b->item[i].reason[j].item_id);
            assert_true(a->item[i].reason[j].part == b->item[i].reason[j].part);
        }
    }
}

/* Events after training count at once: for a stranger, and for someone with a past. */
static void writes_are_read_at_once(void **state)
{
    for (size_t i = 0; model_at(i); i++) {
        struct palate *p = make_handle();
        struct pal_error err;
        struct pal_list *by_user, *by_ids;
        assert_ok(pal_train(p, model_at(i)->name, NULL, &err), &err);
        static const char *const ids[] = {"item4", "item8", "item3", "nowhere"};
        static const float weights[] = {1, 1, -1, 1};
        assert_ok(pal_add_event(p, "stranger", "item4", "like", 1, 0, &err), &err);
        assert_ok(pal_add_event(p, "stranger", "item8", NULL, 1, 0, &err), &err);
        assert_ok(pal_add_event(p, "stranger", "item3", "dislike", 1, 0, &err), &err);
        assert_ok(pal_recommend(p, "stranger", 10, &by_user, &err), &err);
        assert_ok(pal_recommend_for(p, ids, weights, 4, 10, &by_ids, &err), &err);
        check_same_lists(by_user, by_ids);
        pal_list_free(by_ids);

        /* what is first now is gone once they had it */
        char first[16];
        snprintf(first, sizeof first, "%s", by_user->item[0].item_id);
        pal_list_free(by_user);
        assert_ok(pal_add_event(p, "stranger", first, "view", 1, 0, &err), &err);
        assert_ok(pal_recommend(p, "stranger", ITEMS, &by_user, &err), &err);
        assert_int_equal(by_user->count, ITEMS - 4);
        for (size_t j = 0; j < by_user->count; j++)
            assert_string_not_equal(by_user->item[j].item_id, first);
        pal_list_free(by_user);
        pal_close(p);
    }
}

/* Half of the events before training and half after, or in another order where times tell: the
 * same history. */
static void how_events_came_in_does_not_matter(void **state)
{
    struct event e[EVENTS];
    struct pal_error err;
    struct palate *whole = make_handle(), *parts;
    struct pal_list *a, *b;
    make_events(e);
    assert_ok(pal_open(NULL, &parts, &err), &err);
    add_items(parts);
    add_events(parts, e, EVENTS / 2);
    assert_ok(pal_train(parts, "popular", NULL, &err), &err);
    for (size_t i = EVENTS; i-- > EVENTS / 2;)
        add_events(parts, &e[i], 1);
    uint64_t users, items, events;
    pal_count(parts, &users, &items, &events);
    assert_int_equal(users, USERS);
    assert_int_equal(items, ITEMS);
    assert_int_equal(events, EVENTS);
    for (size_t i = 0; model_at(i); i++) {
        /* the second handle's model is of half the data: give both one that is of all */
        assert_ok(pal_train(whole, model_at(i)->name, NULL, &err), &err);
        assert_ok(pal_use(whole, model_at(i)->name, &err), &err);
    }
    char dir[64] = "/tmp/palate-parts-XXXXXX", command[96];
    assert_non_null(mkdtemp(dir));
    assert_ok(pal_save_model(whole, dir, &err), &err);
    assert_ok(pal_load_model(parts, dir, &err), &err);
    for (size_t i = 0; model_at(i); i++) {
        assert_ok(pal_use(whole, model_at(i)->name, &err), &err);
        assert_ok(pal_use(parts, model_at(i)->name, &err), &err);
        for (uint32_t user = 0; user < USERS; user++) {
            char id[16];
            user_name(id, user);
            assert_ok(pal_recommend(whole, id, 12, &a, &err), &err);
            assert_ok(pal_recommend(parts, id, 12, &b, &err), &err);
            check_same_lists(a, b);
            pal_list_free(a);
            pal_list_free(b);
        }
    }
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
    pal_close(whole);
    pal_close(parts);
}

static void models_go_to_disk_and_back(void **state)
{
    struct palate *p = make_handle(), *q;
    struct pal_error err;
    struct pal_list *a, *b;
    char dir[64] = "/tmp/palate-models-XXXXXX", path[96], command[96];
    static const char *const ids[] = {"item4", "item8"};
    assert_non_null(mkdtemp(dir));
    assert_int_equal(pal_save_model(p, dir, &err), PAL_EUSAGE);
    assert_int_equal(pal_load_model(p, dir, &err), PAL_ENOTFOUND);
    for (size_t i = 0; model_at(i); i++)
        assert_ok(pal_train(p, model_at(i)->name, NULL, &err), &err);
    assert_ok(pal_save_model(p, dir, &err), &err);
    assert_ok(pal_save_model(p, dir, &err), &err);

    assert_ok(pal_open(NULL, &q, &err), &err);
    /* a handle that numbers items in its own way, and has one that the models don't know */
    assert_ok(pal_add_event(q, "me", "item39", "like", 1, 0, &err), &err);
    assert_ok(pal_add_item(q, "only-here", "Only Here", NULL, &err), &err);
    for (int round = 0; round < 2; round++) {
        snprintf(path, sizeof path, "%s%s", dir, round ? "/000001" : "");
        assert_ok(pal_load_model(q, path, &err), &err);
        for (size_t i = 0; model_at(i); i++) {
            assert_ok(pal_use(p, model_at(i)->name, &err), &err);
            assert_ok(pal_use(q, model_at(i)->name, &err), &err);
            assert_ok(pal_recommend_for(p, ids, NULL, 2, 20, &a, &err), &err);
            assert_ok(pal_recommend_for(q, ids, NULL, 2, 20, &b, &err), &err);
            for (size_t j = 0; j < 20; j++) /* item39 got no title here: compare the rest */
                assert_string_equal(a->item[j].item_id, b->item[j].item_id);
            pal_list_free(a);
            pal_list_free(b);
        }
        assert_ok(pal_recommend(q, "me", 100, &b, &err), &err);
        assert_int_equal(b->count, ITEMS); /* one had, one more known */
        assert_string_equal(b->item[ITEMS - 1].item_id, "only-here");
        pal_list_free(b);
    }
    /* saved once more by the one that loaded it: still what it was */
    assert_ok(pal_save_model(q, dir, &err), &err);
    snprintf(command, sizeof command, "rm -r %s", dir);
    assert_int_equal(system(command), 0);
    pal_close(p);
    pal_close(q);
}

static void threads_change_nothing(void **state)
{
    for (size_t i = 0; model_at(i); i++) {
        struct palate *one = make_handle(), *three = make_handle();
        struct pal_error err;
        struct pal_list *a, *b;
        assert_ok(pal_set_threads(three, 3, &err), &err);
        assert_ok(pal_train(one, model_at(i)->name, NULL, &err), &err);
        assert_ok(pal_train(three, model_at(i)->name, NULL, &err), &err);
        for (uint32_t user = 0; user < USERS; user++) {
            char id[16];
            user_name(id, user);
            assert_ok(pal_recommend(one, id, 12, &a, &err), &err);
            assert_ok(pal_recommend(three, id, 12, &b, &err), &err);
            check_same_lists(a, b);
            pal_list_free(a);
            pal_list_free(b);
        }
        pal_close(one);
        pal_close(three);
    }
}

/* What each of several threads asks of one handle. */
struct asking {
    const struct palate *p;
    struct pal_list *list[USERS];
    enum pal_status st;
};

static void *ask_for_all(void *ctx)
{
    struct asking *a = ctx;
    struct pal_list *like = NULL;
    const char *id;
    for (uint32_t user = 0; user < USERS && a->st == PAL_OK; user++) {
        char name[16];
        user_name(name, user);
        a->st = pal_recommend(a->p, name, 12, &a->list[user], NULL);
        if (a->st == PAL_OK)
            a->st = pal_find_item(a->p, "film number 7", &id, NULL);
        if (a->st == PAL_OK && pal_similar(a->p, id, 5, &like, NULL) == PAL_OK)
            pal_list_free(like);
    }
    return NULL;
}

/* Under the thread sanitizer this also shows that nothing is written behind a const handle. */
static void many_may_ask_at_once(void **state)
{
    enum { THREADS = 4 };
    struct palate *p = make_handle();
    struct pal_error err;
    for (size_t i = 0; model_at(i); i++)
        assert_ok(pal_train(p, model_at(i)->name, NULL, &err), &err);
    for (uint32_t user = 0; user < USERS; user += 3) {
        char name[16];
        user_name(name, user);
        assert_ok(pal_add_event(p, name, "item1", "like", 1, 0, &err), &err);
    }
    for (size_t i = 0; model_at(i); i++) {
        struct asking asking[THREADS] = {{.p = p}, {.p = p}, {.p = p}, {.p = p}};
        pthread_t thread[THREADS];
        assert_ok(pal_use(p, i ? model_at(i)->name : "blend", &err), &err);
        for (int t = 0; t < THREADS; t++)
            assert_int_equal(pthread_create(&thread[t], NULL, ask_for_all, &asking[t]), 0);
        for (int t = 0; t < THREADS; t++)
            assert_int_equal(pthread_join(thread[t], NULL), 0);
        for (int t = 0; t < THREADS; t++)
            for (uint32_t user = 0; user < USERS; user++) {
                assert_int_equal(asking[t].st, PAL_OK);
                check_same_lists(asking[0].list[user], asking[t].list[user]);
            }
        for (int t = 0; t < THREADS; t++)
            for (uint32_t user = 0; user < USERS; user++)
                pal_list_free(asking[t].list[user]);
    }
    pal_close(p);
}

static int stop_at_once(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
    ++*(int *)ctx;
    assert_non_null(stage);
    return 1;
}

static int only_look(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
    ++*(int *)ctx;
    assert_true(total == 0 || done <= total);
    return 0;
}

static void training_can_be_watched_and_stopped(void **state)
{
    struct palate *p = make_handle();
    struct pal_error err;
    struct pal_list *before, *after;
    int calls = 0;
    pal_set_progress(p, only_look, &calls);
    assert_ok(pal_train(p, "popular", NULL, &err), &err);
    assert_true(calls > 0);
    assert_ok(pal_recommend(p, "user1", 5, &before, &err), &err);
    calls = 0;
    pal_set_progress(p, stop_at_once, &calls);
    for (size_t i = 0; model_at(i); i++)
        assert_int_equal(pal_train(p, model_at(i)->name, NULL, &err), PAL_EINTERRUPTED);
    assert_true(calls > 0);
    assert_ok(pal_recommend(p, "user1", 5, &after, &err), &err);
    check_same_lists(before, after);
    pal_set_progress(p, NULL, NULL);
    pal_stop(p); /* nothing runs: nothing happens */
    assert_ok(pal_train(p, "random", NULL, &err), &err);
    pal_list_free(before);
    pal_list_free(after);
    pal_close(p);
}

static void mistakes_are_told(void **state)
{
    struct palate *p;
    struct pal_error err;
    struct pal_list *list = NULL;
    const char *id = NULL;
    char long_id[300];
    memset(long_id, 'x', sizeof long_id);
    long_id[299] = 0;
    assert_int_equal(pal_open("/nowhere/at/all", &p, &err), PAL_ENOTFOUND);
    assert_ok(pal_open(NULL, &p, &err), &err);
    assert_int_equal(pal_train(p, "popular", NULL, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "no events"));
    assert_int_equal(pal_add_item(p, "", NULL, NULL, &err), PAL_EUSAGE);
    assert_int_equal(pal_add_item(p, NULL, NULL, NULL, NULL), PAL_EUSAGE);
    assert_int_equal(pal_add_item(p, "\xff", NULL, NULL, &err), PAL_EUSAGE);
    assert_int_equal(pal_add_item(p, "a", "\xff", NULL, &err), PAL_EUSAGE);
    assert_int_equal(pal_add_event(p, long_id, "a", NULL, 1, 0, &err), PAL_EUSAGE);
    assert_int_equal(pal_add_event(p, "a", long_id, NULL, 1, 0, &err), PAL_EUSAGE);
    assert_int_equal(pal_add_event(p, "a", "a", "", 1, 0, &err), PAL_EUSAGE);
    assert_int_equal(pal_add_event(p, "a", "a", NULL, 0.0f / 0.0f, 0, &err), PAL_EUSAGE);
    uint64_t users, items, events;
    pal_count(p, &users, &items, &events);
    assert_int_equal(users + items + events, 0);
    assert_ok(pal_recommend(p, "nobody", 5, &list, &err), &err);
    assert_int_equal(list->count, 0);
    pal_list_free(list);

    assert_ok(pal_add_event(p, "u", "a", NULL, 1, 0, &err), &err);
    assert_ok(pal_add_event(p, "u", "b", NULL, 1, 0, &err), &err);
    assert_int_equal(pal_train(p, "magic", NULL, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "popular"));
    assert_int_equal(pal_train(p, "popular", "nosuch=1", &err), PAL_EUSAGE);
    assert_int_equal(pal_train(p, "popular", "nosuch", &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "name=value"));
    assert_int_equal(pal_set_weights(p, "like", &err), PAL_EUSAGE);
    assert_int_equal(pal_use(p, "als", &err), PAL_ENOTFOUND);
    assert_int_equal(pal_similar(p, "nosuch", 5, &list, &err), PAL_ENOTFOUND);
    assert_int_equal(pal_similar(p, "a", 5, &list, &err), PAL_EUNSUPPORTED);
    assert_int_equal(pal_find_item(p, "nosuch", &id, &err), PAL_ENOTFOUND);
    assert_null(id);
    pal_close(p);
    pal_close(NULL);
    pal_list_free(NULL);
}

static void items_get_titles_early_and_late(void **state)
{
    struct palate *p;
    struct pal_error err;
    const char *id;
    struct pal_list *list;
    assert_ok(pal_open(NULL, &p, &err), &err);
    assert_ok(pal_add_event(p, "u", "7", NULL, 1, 0, &err), &err);
    assert_ok(pal_add_event(p, "u", "8", NULL, 1, 0, &err), &err);
    assert_ok(pal_add_item(p, "9", "Matrix, The (1999)", "Action|Sci-Fi", &err), &err);
    assert_ok(pal_add_item(p, "8", "Heat (1995)", "Crime", &err), &err);
    assert_ok(pal_add_item(p, "7", "Wrong", "Action||Action", &err), &err);
    assert_ok(pal_add_item(p, "7", "Solaris", NULL, &err), &err);
    assert_ok(pal_find_item(p, "the matrix", &id, &err), &err);
    assert_string_equal(id, "9");
    assert_ok(pal_find_item(p, "heat", &id, &err), &err);
    assert_string_equal(id, "8");
    assert_ok(pal_find_item(p, "solaris", &id, &err), &err);
    assert_string_equal(id, "7");
    assert_int_equal(pal_find_item(p, "wrong", &id, &err), PAL_ENOTFOUND);
    assert_ok(pal_recommend(p, "v", 5, &list, &err), &err);
    pal_close(p); /* the list lives on */
    assert_int_equal(list->count, 3);
    assert_string_equal(list->item[0].title, "Solaris");
    assert_string_equal(list->item[2].title, "Matrix, The (1999)");
    assert_string_equal(list->item[2].source, "catalog");
    pal_list_free(list);
}

/* A table of ratings, whose rules name only "rating": other types added later get palate's own. */
static void files_open_and_rules_suit_them(void **state)
{
    char path[] = "/tmp/palate-ratings-XXXXXX.csv";
    int fd = mkstemps(path, 4);
    FILE *f = fdopen(fd, "w");
    struct palate *p;
    struct pal_error err;
    struct pal_list *a, *b;
    fputs("userId,movieId,rating,timestamp\n", f);
    for (int i = 0; i < 400; i++)
        fprintf(f, "%d,%d,%d,%d\n", i % 37, i * i % 23, 1 + i % 5, 900000000 + i);
    fclose(f);
    assert_ok(pal_open(path, &p, &err), &err);
    uint64_t users, items, events;
    pal_count(p, &users, &items, &events);
    assert_int_equal(users, 37);
    assert_int_equal(events, 400);
    assert_ok(pal_train(p, "popular", NULL, &err), &err);
    /* a like, a rating of 5, and by rules of one's own a "stare": all the same history */
    assert_ok(pal_add_event(p, "x", "4", "like", 1, 0, &err), &err);
    assert_ok(pal_add_event(p, "y", "4", "rating", 5, 0, &err), &err);
    assert_ok(pal_recommend(p, "x", 30, &a, &err), &err);
    assert_ok(pal_recommend(p, "y", 30, &b, &err), &err);
    assert_int_equal(a->count, items - 1);
    check_same_lists(a, b);
    pal_list_free(a);
    pal_list_free(b);
    pal_close(p);
    unlink(path);
}

/* A caller's slip is an error of its own, not the end of the caller's program. */
static void missing_texts_are_refused(void **state)
{
    (void)state;
    struct pal_error err;
    struct palate *p = NULL;
    struct pal_list *list = NULL;
    const char *ids[] = {"item1", NULL}, *found;
    const float weights[] = {1, 1e30f};
    assert_ok(pal_open(NULL, &p, &err), &err);
    assert_ok(pal_add_event(p, "user1", "item1", NULL, 1, 0, &err), &err);
    assert_int_equal(pal_train(p, NULL, NULL, &err), PAL_EUSAGE);
    assert_int_equal(pal_recommend(p, NULL, 3, &list, &err), PAL_EUSAGE);
    assert_int_equal(pal_recommend_for(p, ids, NULL, 2, 3, &list, &err), PAL_EUSAGE);
    ids[1] = "item1";
    assert_int_equal(pal_recommend_for(p, ids, weights, 2, 3, &list, &err), PAL_EUSAGE);
    assert_int_equal(pal_similar(p, NULL, 3, &list, &err), PAL_EUSAGE);
    assert_int_equal(pal_find_item(p, NULL, &found, &err), PAL_EUSAGE);
    assert_null(list);
    pal_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_texts_are_refused),
        cmocka_unit_test(answers_are_the_model_s),
        cmocka_unit_test(writes_are_read_at_once),
        cmocka_unit_test(how_events_came_in_does_not_matter),
        cmocka_unit_test(models_go_to_disk_and_back),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(many_may_ask_at_once),
        cmocka_unit_test(training_can_be_watched_and_stopped),
        cmocka_unit_test(mistakes_are_told),
        cmocka_unit_test(items_get_titles_early_and_late),
        cmocka_unit_test(files_open_and_rules_suit_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
