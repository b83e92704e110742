/* What all models share: the table, options and their errors, the check of memory, top lists with
 * a mask, files that are not models. */
#include "test.h"
#include "world.h"

#include "model/memory.h"

#include <math.h>
#include <unistd.h>

static void the_table_names_its_models(void **state)
{
    (void)state;
    struct pal_error err;
    const struct model_ops *ops;
    for (size_t i = 0; model_at(i); i++) {
        assert_ok(model_named(model_at(i)->name, &ops, &err), &err);
        assert_ptr_equal(ops, model_at(i));
        assert_non_null(ops->title);
        assert_non_null(ops->paper);
        assert_true(!(ops->can & MODEL_SIMILAR) == !ops->similar);
        assert_true(!(ops->can & MODEL_EXPLAIN) == !ops->explain);
        assert_true(!(ops->can & MODEL_RATES) == !ops->rate);
    }
    assert_null(model_find("alz"));
    assert_int_equal(model_named("alz", &ops, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "'alz'"));
    assert_non_null(strstr(err.message, "popular"));
}

static void options_explain_themselves(void **state)
{
    (void)state;
    struct pal_error err;
    const struct model_ops *ops = model_find("popular");
    double options[1] = {0};
    struct str json = {0};
    assert_int_equal(model_set(ops, options, "half_live_days", "3", &err), PAL_EUSAGE);
    assert_string_equal(err.message,
                        "popular has no option 'half_live_days': did you mean 'half_life_days'?");
    assert_int_equal(model_set(ops, options, "half_life_days", "long", &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "popular: half_life_days"));
    assert_int_equal(model_set(model_find("random"), options, "x", "1", &err), PAL_EUSAGE);
    assert_ok(model_set(ops, options, "half_life_days", "0.1", &err), &err);
    model_options_json(ops, options, &json);
    assert_string_equal(str_text(&json), "{\"half_life_days\":0.1}");
    str_clear(&json);
    options[0] = 1.0 / 3; /* no digit may be lost */
    model_options_json(ops, options, &json);
    assert_string_equal(str_text(&json), "{\"half_life_days\":0.3333333333333333}");
    str_done(&json);
}

static void memory_is_asked_for_first(void **state)
{
    (void)state;
    struct pal_error err;
    struct weights w = world_weights();
    struct dataset *d = world_of_blocks(20, 2000, 2, 0.1, 1);
    struct training t;
    struct model *m;
    char text[MEMORY_TEXT];
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    assert_int_equal(model_fit(model_find("popular"), NULL, &t, 1000, NULL, &m, &err), PAL_ENOMEM);
    assert_string_equal(err.message, "popular would take 40 kB for 2,000 items, 1.0 kB are "
                                     "allowed: use als, or raise --memory");
    training_done(&t);
    dataset_free(d);
    assert_true(memory_available() > 1 << 20);
    assert_string_equal(memory_text(text, 0), "0 bytes");
    assert_string_equal(memory_text(text, 6717768000), "6.7 GB");
    assert_string_equal(memory_text(text, 512000000), "512 MB");
    assert_string_equal(memory_text(text, 999600), "1.0 MB");
    assert_string_equal(memory_count(text, 40981), "40,981");
    assert_string_equal(memory_count(text, 981), "981");
    assert_string_equal(memory_count(text, 1000000), "1,000,000");
}

static void top_leaves_out_what_is_masked(void **state)
{
    (void)state;
    struct pal_error err;
    struct weights w = world_weights();
    const struct event events[] = {{0, 0, 3, 1}, {0, 1, 2, 1}, {0, 2, 1, 1}};
    struct dataset *d = world_of(events, 3, 1, 4);
    struct training t;
    struct model *m;
    struct arena tmp = {0};
    struct history h = {0};
    struct scored out[4];
    size_t n;
    const uint8_t skip[] = {0, 1, 0, 0};
    assert_ok(training_make(d, &d->all, &w, NULL, &t, &err), &err);
    assert_ok(model_fit(model_find("popular"), NULL, &t, 0, NULL, &m, &err), &err);
    assert_ok(model_top(m, &h, skip, 4, &tmp, out, &n, &err), &err);
    assert_int_equal(n, 3);
    assert_int_equal(out[0].index, 0);
    assert_int_equal(out[1].index, 2);
    assert_int_equal(out[2].index, 3);
    assert_ok(model_top(m, &h, NULL, 2, &tmp, out, &n, &err), &err);
    assert_int_equal(n, 2);
    assert_int_equal(out[1].index, 1);
    assert_int_equal(model_similar(m, 0, 2, &tmp, out, &n, &err), PAL_EUNSUPPORTED);
    assert_int_equal(model_explain(m, &h, 0, NULL, &tmp, &err), PAL_EUNSUPPORTED);
    model_free(m);
    training_done(&t);
    dataset_free(d);
    arena_done(&tmp);
}

static void other_files_are_no_models(void **state)
{
    (void)state;
    struct pal_error err;
    struct tensors_out out = {0};
    struct model *m;
    char path[64];
    snprintf(path, sizeof path, "/tmp/palate-model-%ld", (long)getpid());
    assert_int_equal(model_load(path, &m, &err), PAL_ENOTFOUND);
    assert_ok(tensors_write(&out, path, &err), &err);
    assert_int_equal(model_load(path, &m, &err), PAL_ECORRUPT);
    assert_ok(tensors_meta(&out, "palate.model", "transformer", &err), &err);
    assert_ok(tensors_write(&out, path, &err), &err);
    assert_int_equal(model_load(path, &m, &err), PAL_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "'transformer'"));
    tensors_out_done(&out);
    assert_ok(tensors_meta(&out, "palate.model", "popular", &err), &err);
    assert_ok(tensors_meta(&out, "palate.options", "{\"half_life_days\":-1}", &err), &err);
    assert_ok(tensors_write(&out, path, &err), &err);
    assert_int_equal(model_load(path, &m, &err), PAL_ECORRUPT);
    assert_non_null(strstr(err.message, "half_life_days"));
    tensors_out_done(&out);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_names_its_models),
        cmocka_unit_test(options_explain_themselves),
        cmocka_unit_test(memory_is_asked_for_first),
        cmocka_unit_test(top_leaves_out_what_is_masked),
        cmocka_unit_test(other_files_are_no_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
