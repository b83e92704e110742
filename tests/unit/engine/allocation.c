/* Each allocation on the whole way from a data file to an answer is made to fail in turn: opening,
 * training, recommending, saving, loading; for every model. The call that it befalls must say
 * PAL_ENOMEM (or do without), nothing may leak, and the same call must work right afterwards.
 *
 * JSON is read and written by jansson, whose memory comes from malloc and is not covered here. */
#include "test.h"

#include "model/model.h"

#include <unistd.h>

enum { MOST = 200000 }; /* a bound on the loops: no step takes as many allocations */

struct place {
    char csv[64], models[64];
};

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    if (!p)
        return -1;
    strcpy(p->csv, "/tmp/palate-allocation-XXXXXX.csv");
    strcpy(p->models, "/tmp/palate-allocation-XXXXXX");
    FILE *f = fdopen(mkstemps(p->csv, 4), "w");
    if (!f || !mkdtemp(p->models))
        return -1;
    fputs("user,item,rating,timestamp\n", f);
    for (int i = 0; i < 300; i++)
        fprintf(f, "u%d,i%d,%d,%d\n", i % 29, i * 7 % 31 + i / 100, 1 + i % 5, 900000000 + i);
    fclose(f);
    *state = p;
    return 0;
}

static int drop_place(void **state)
{
    struct place *p = *state;
    char command[192];
    snprintf(command, sizeof command, "rm -r %s %s", p->csv, p->models);
    if (system(command))
        return -1;
    free(p);
    return 0;
}

/* One step on the way. */
struct step {
    const struct place *place;
    const char *model;
    struct palate *p;
    struct pal_list *list;
};
typedef enum pal_status step_fn(struct step *s, struct pal_error *err);

static enum pal_status step_open(struct step *s, struct pal_error *err)
{
    return pal_open(s->place->csv, &s->p, err);
}

static enum pal_status step_collect(struct step *s, struct pal_error *err)
{
    enum pal_status st = pal_add_item(s->p, "new", "A New One (2024)", "Comedy|Drama", err);
    if (st == PAL_OK)
        st = pal_add_item(s->p, "i4", "An Old One (1924)", "Drama", err); /* content needs a pair */
    if (st == PAL_OK)
        st = pal_add_event(s->p, "u1", "new", "like", 1, 0, err);
    if (st == PAL_OK)
        st = pal_add_event(s->p, "somebody", "i4", "rating", 5, 0, err);
    return st;
}

static enum pal_status step_train(struct step *s, struct pal_error *err)
{
    return pal_train(s->p, s->model, NULL, err);
}

static enum pal_status step_use(struct step *s, struct pal_error *err)
{
    return pal_use(s->p, "blend", err);
}

static enum pal_status step_recommend(struct step *s, struct pal_error *err)
{
    return pal_recommend(s->p, "u1", 10, &s->list, err);
}

static enum pal_status step_recommend_for(struct step *s, struct pal_error *err)
{
    static const char *const ids[] = {"i4", "i7", "new"};
    return pal_recommend_for(s->p, ids, NULL, 3, 10, &s->list, err);
}

static enum pal_status step_similar(struct step *s, struct pal_error *err)
{
    enum pal_status st = pal_similar(s->p, "i4", 5, &s->list, err);
    return st == PAL_EUNSUPPORTED ? PAL_OK : st; /* not every model can */
}

static enum pal_status step_save(struct step *s, struct pal_error *err)
{
    return pal_save_model(s->p, s->place->models, err);
}

static enum pal_status step_load(struct step *s, struct pal_error *err)
{
    return pal_load_model(s->p, s->place->models, err);
}

static const struct {
    const char *name;
    step_fn *run;
} steps[] = {
    {"open", step_open},
    {"collect", step_collect},
    {"train", step_train},
    {"recommend", step_recommend},
    {"blend", step_use},
    {"recommend by all", step_recommend},
    {"recommend for", step_recommend_for},
    {"similar", step_similar},
    {"save", step_save},
    {"load", step_load},
    {"recommend again", step_recommend},
};

static void drop_list(struct step *s)
{
    pal_list_free(s->list);
    s->list = NULL;
}

/* Runs the step with its n-th allocation failing, n = 1, 2, … until it takes no more; returns how
 * many it took. What it leaves behind then is what the step is for. */
static long walk(size_t i, struct step *s)
{
    for (long n = 1; n < MOST; n++) {
        struct pal_error err = {.message = ""};
        long calls = mem_calls();
        mem_fail_at(n);
        enum pal_status st = steps[i].run(s, &err);
        mem_fail_at(0);
        long taken = mem_calls() - calls;
        if (st == PAL_OK && taken < n)
            return taken;
        if (st != PAL_OK && st != PAL_ENOMEM)
            fail_msg("%s, %s: allocation %ld: %s: %s", s->model, steps[i].name, n,
                     pal_status_name(st), err.message);
        if (st == PAL_ENOMEM)
            assert_string_not_equal(err.message, "");
        drop_list(s);
    }
    fail_msg("%s: no end", steps[i].name);
    return 0;
}

static void every_allocation_may_fail(void **state)
{
    long total = 0;
    for (size_t m = 0; model_at(m); m++) {
        struct step s = {.place = *state, .model = model_at(m)->name};
        long start = mem_live();
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
            total += walk(i, &s);
            drop_list(&s);
        }
        pal_close(s.p);
        assert_int_equal(mem_live(), start); /* nothing leaked, in success or failure */
    }
    assert_true(total > 100);
    print_message("%ld allocations failed in turn\n", total);
}

/* A failure in the middle leaves the handle as it was: it answers what it answered before. */
static void a_failed_call_changes_nothing(void **state)
{
    for (size_t m = 0; model_at(m); m++) {
        struct step s = {.place = *state, .model = model_at(m)->name};
        struct pal_error err;
        assert_ok(step_open(&s, &err), &err);
        assert_ok(step_collect(&s, &err), &err);
        assert_ok(step_train(&s, &err), &err);
        assert_ok(step_recommend(&s, &err), &err);
        struct pal_list *before = s.list;
        step_fn *const tried[] = {step_train, step_save, step_load};
        assert_ok(step_save(&s, &err), &err);
        for (size_t t = 0; t < sizeof tried / sizeof tried[0]; t++) {
            for (long n = 1; n < 40; n += 3) {
                mem_fail_at(n);
                enum pal_status st = tried[t](&s, &err);
                mem_fail_at(0);
                assert_true(st == PAL_OK || st == PAL_ENOMEM);
                assert_ok(step_recommend(&s, &err), &err);
                assert_int_equal(s.list->count, before->count);
                for (size_t i = 0; i < before->count; i++) {
                    assert_string_equal(s.list->item[i].item_id, before->item[i].item_id);
                    assert_true(s.list->item[i].score == before->item[i].score);
                }
                drop_list(&s);
            }
        }
        pal_list_free(before);
        pal_close(s.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, make_place, drop_place),
        cmocka_unit_test_setup_teardown(a_failed_call_changes_nothing, make_place, drop_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
