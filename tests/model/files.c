/* Every model's file: the same bytes from the same data at any thread count, the same model back
 * out of it, and an error for whatever is damaged or, its checksum being right, still makes no
 * sense. */
#include "each.h"

#include "forge.h"

static const struct model_card card = {.data = "blocks",
                                       .fingerprint = 0xfeedface12345678u,
                                       .weights = "rating:1",
                                       .seed = 11,
                                       .metrics_json = "{\"ndcg@10\":0.5}",
                                       .train_seconds = 1.25,
                                       .interactions = 99,
                                       .created_s = 1700000000};

static void save(struct model *m, const char *path)
{
    struct pal_error err;
    assert_ok(model_save(m, &card, path, &err), &err);
}

static void threads_change_no_byte(void **state)
{
    (void)state;
    for (size_t i = 0; model_at(i); i++) {
        char *first = NULL;
        size_t first_size = 0, size;
        for (unsigned threads = 1; threads <= 3; threads++) {
            struct fitted f = fit_blocks(model_at(i), threads);
            save(f.model, temp_path(0));
            fitted_done(&f);
            char *bytes = read_whole(temp_path(0), &size);
            if (threads == 1) {
                first = bytes;
                first_size = size;
                continue;
            }
            if (size != first_size || memcmp(first, bytes, size) != 0)
                fail_msg("%s: %u threads give another file than one", model_at(i)->name, threads);
            free(bytes);
        }
        free(first);
    }
    unlink(temp_path(0));
}

static void comes_back_the_same(void **state)
{
    (void)state;
    struct pal_error err;
    for (size_t i = 0; model_at(i); i++) {
        struct fitted f = fit_blocks(model_at(i), 2), g = {0};
        size_t size, again;
        save(f.model, temp_path(0));
        assert_non_null(strstr(str_text(&f.model->card), "\"ndcg@10\":0.5"));
        assert_non_null(strstr(str_text(&f.model->card), "feedface12345678"));
        assert_ok(model_load(temp_path(0), &g.model, &err), &err);
        assert_ptr_equal(g.model->ops, model_at(i));
        assert_string_equal(str_text(&g.model->card), str_text(&f.model->card));
        assert_int_equal(model_items(g.model), ITEMS);
        assert_string_equal(intern_text(&g.model->ids, 7), "i7");
        assert_memory_equal(g.model->options, f.model->options, model_at(i)->options_size);
        struct history h[3] = {
            {0}, history_in(&f.tmp, 1, 2, 5, 1), history_in(&f.tmp, 3, 0, 2, -1)};
        assert_memory_equal(scores_of(&f, h, 3), scores_of(&g, h, 3), 3 * ITEMS * sizeof(float));
        save(g.model, temp_path(1));
        char *a = read_whole(temp_path(0), &size), *b = read_whole(temp_path(1), &again);
        assert_int_equal(size, again);
        assert_memory_equal(a, b, size);
        free(a);
        free(b);
        model_free(g.model);
        arena_done(&g.tmp);
        fitted_done(&f);
    }
    unlink(temp_path(0));
    unlink(temp_path(1));
}

static void write_bytes(const char *data, size_t size)
{
    FILE *f = fopen(temp_path(1), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static void refused(const char *name, const char *what, size_t where)
{
    struct pal_error err;
    struct model *m;
    long live = mem_live();
    enum pal_status st = model_load(temp_path(1), &m, &err);
    if (st != PAL_ECORRUPT)
        fail_msg("%s: %s at %zu gives %s", name, what, where, pal_status_name(st));
    assert_int_equal(mem_live(), live);
}

static void damage_is_an_error(void **state)
{
    (void)state;
    for (size_t i = 0; model_at(i); i++) {
        const char *name = model_at(i)->name;
        struct fitted f = fit_blocks(model_at(i), 1);
        size_t size;
        save(f.model, temp_path(0));
        char *bytes = read_whole(temp_path(0), &size);
        size_t step = 1 + size / 300;
        for (size_t at = 0; at < size; at += at < 100 ? 1 : step) {
            bytes[at] ^= (char)(1 << at % 8);
            write_bytes(bytes, size);
            refused(name, "a flipped bit", at);
            bytes[at] ^= (char)(1 << at % 8);
        }
        for (size_t cut = 0; cut < size; cut += 1 + size / 100) {
            write_bytes(bytes, cut);
            refused(name, "a cut", cut);
        }
        free(bytes);
        fitted_done(&f);
    }
    unlink(temp_path(0));
    unlink(temp_path(1));
}

/* A forged file is refused, or is a model like any other: its scores are numbers. */
static void try_forged(const char *name, const char *tensor, enum forgery how)
{
    struct pal_error err;
    struct fitted g = {0};
    enum pal_status st = model_load(temp_path(1), &g.model, &err);
    if (how == LEFT_OUT && st == PAL_OK)
        fail_msg("%s: a file without %s loads", name, tensor);
    if (st == PAL_OK) {
        struct history h = history_in(&g.tmp, 0, 0, 3, 1);
        scores_of(&g, &h, 1);
        model_free(g.model);
    } else if (st != PAL_ECORRUPT) {
        fail_msg("%s: %s forged gives %s", name, tensor, pal_status_name(st));
    }
    arena_done(&g.tmp);
}

static void forgeries_do_no_harm(void **state)
{
    (void)state;
    struct pal_error err;
    for (size_t i = 0; model_at(i); i++) {
        struct fitted f = fit_blocks(model_at(i), 1);
        struct tensors *file;
        save(f.model, temp_path(0));
        assert_ok(tensors_open(temp_path(0), &file, &err), &err);
        long live = mem_live();
        for (size_t which = 0; which < tensors_count(file); which++)
            for (int how = 0; how < FORGERIES; how++) {
                forge(file, which, (enum forgery)how, temp_path(1));
                try_forged(model_at(i)->name, tensors_at(file, which)->name, (enum forgery)how);
            }
        assert_int_equal(mem_live(), live);
        tensors_close(file);
        fitted_done(&f);
    }
    unlink(temp_path(0));
    unlink(temp_path(1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_change_no_byte),
        cmocka_unit_test(comes_back_the_same),
        cmocka_unit_test(damage_is_an_error),
        cmocka_unit_test(forgeries_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
