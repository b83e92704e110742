/* Palate's own file: what is saved is what is loaded, and a damaged file is an error. */
#include "test.h"

#include "base/file.h"
#include "data/dataset.h"

#include <math.h>
#include <unistd.h>

static struct dataset *build(bool with_everything)
{
    struct pal_error err;
    struct dataset *d = dataset_new();
    struct rows *rows;
    uint32_t n;
    uint8_t type;
    char id[16];
    assert_ok(rows_new(&rows, &err), &err);
    snprintf(d->name, sizeof d->name, "tiny");
    for (int i = 0; i < 20; i++) {
        int len = snprintf(id, sizeof id, "user-%d", i);
        assert_ok(intern_add(&d->users.ids, id, (size_t)len, &n, &err), &err);
        len = snprintf(id, sizeof id, "item \"%d\"", i);
        assert_ok(intern_add(&d->items.ids, id, (size_t)len, &n, &err), &err);
    }
    assert_ok(event_type_add(&d->types, "like", 4, &type, &err), &err);
    assert_ok(event_type_add(&d->types, "view", 4, &type, &err), &err);
    for (uint32_t i = 0; i < 200; i++)
        assert_ok(rows_add(rows,
                           (struct row){i * 7 % 20, i * 11 % 20,
                                        with_everything ? (float)(i % 5) : 1, 1000 + i * 37 % 100},
                           with_everything ? i % 2 : 0, &err),
                  &err);
    assert_ok(rows_finish(rows, 20, 20, with_everything, &d->all, &err), &err);
    rows_free(rows);
    if (with_everything) {
        for (int i = 0; i < 20; i++) {
            assert_ok(texts_add(&d->items.titles, "Ché (2008)", 11, &err), &err);
            assert_ok(
                labels_add(&d->items.categories, i % 2 ? "Drama" : "War", i % 2 ? 5 : 3, &err),
                &err);
            assert_ok(labels_end_row(&d->items.categories, &err), &err);
        }
        d->negatives.users = 2;
        d->negatives.per_user = 3;
        d->negatives.item = mem_alloc(6, sizeof(uint32_t));
        for (uint32_t i = 0; i < 6; i++)
            d->negatives.item[i] = i == 5 ? INTERN_NONE : i;
    }
    return d;
}

static const char *path_of(char buf[64])
{
    snprintf(buf, 64, "test-own-%ld.palate", (long)getpid());
    return buf;
}

static void same_after_loading(void **state)
{
    (void)state;
    struct pal_error err;
    char path[64];
    for (int everything = 0; everything < 2; everything++) {
        struct dataset *d = build(everything), *got;
        assert_ok(dataset_save(d, path_of(path), &err), &err);
        assert_ok(dataset_load_own(path, &got, &err), &err);
        assert_true(dataset_fingerprint(d) == dataset_fingerprint(got));
        assert_string_equal(got->name, "tiny");
        assert_string_equal(got->weights, d->weights);
        assert_int_equal(got->all.value != NULL, everything);
        assert_int_equal(got->all.time_s != NULL, everything);
        assert_int_equal(got->negatives.per_user, d->negatives.per_user);
        assert_string_equal(items_name(&got->items, 3), items_name(&d->items, 3));
        assert_int_equal(got->items.categories.rows, d->items.categories.rows);
        if (everything)
            assert_memory_equal(got->negatives.item, d->negatives.item, 24);
        dataset_free(d);
        dataset_free(got);
    }
    unlink(path);
}

static void write_bytes(const char *path, const char *data, size_t size)
{
    struct pal_error err;
    struct file_out *f;
    assert_ok(file_create(path, &f, &err), &err);
    assert_ok(file_write(f, data, size, &err), &err);
    assert_ok(file_commit(f, &err), &err);
}

/* Cut anywhere, or with any one byte of it changed, the file is refused; its own bytes load. */
static void damage_is_found(void **state)
{
    (void)state;
    struct pal_error err;
    char path[64];
    struct dataset *d = build(true), *got;
    struct file_map map;
    assert_ok(dataset_save(d, path_of(path), &err), &err);
    dataset_free(d);
    assert_ok(file_map(path, &map, &err), &err);
    size_t size = map.size;
    char *bytes = mem_text(map.data, size);
    file_unmap(&map);
    long before = mem_live();
    for (size_t cut = 0; cut < size; cut += 97) {
        write_bytes(path, bytes, cut);
        assert_int_not_equal(dataset_load_own(path, &got, &err), PAL_OK);
        assert_int_equal(mem_live(), before);
    }
    size_t header = 8 + (size_t)(unsigned char)bytes[0] + ((size_t)(unsigned char)bytes[1] << 8);
    for (size_t i = header; i < size; i += 13) {
        bytes[i] ^= 0x40;
        write_bytes(path, bytes, size);
        assert_int_equal(dataset_load_own(path, &got, &err), PAL_ECORRUPT);
        bytes[i] ^= 0x40;
        assert_int_equal(mem_live(), before);
    }
    write_bytes(path, bytes, size);
    assert_ok(dataset_load_own(path, &got, &err), &err);
    dataset_free(got);
    mem_free(bytes);
    unlink(path);
}

/* With a checksum that fits, wrong contents are still found: an attacker can compute it too. */
static void contents_are_checked(void **state)
{
    (void)state;
    struct pal_error err;
    char path[64];
    struct dataset *got;
    for (int fault = 0; fault < 13; fault++) {
        struct dataset *d = build(true);
        if (fault == 0)
            d->all.item[7] = 20;
        if (fault == 1)
            d->all.type[7] = 2;
        if (fault == 2)
            d->all.start[3] = d->all.start[4] + 1;
        if (fault == 3)
            d->all.start[0] = 1;
        if (fault == 4)
            d->negatives.item[0] = 20;
        if (fault == 5)
            d->all.value[7] = NAN;
        if (fault == 6)
            d->all.value[7] = INFINITY;
        if (fault == 7)
            interactions_done(&d->all); /* nothing is written of them: all models need a matrix */
        if (fault == 8)
            assert_ok(texts_add(&d->items.titles, "one more", 8, &err), &err);
        if (fault == 9)
            assert_ok(labels_end_row(&d->items.categories, &err), &err);
        for (int i = 0; i < 21; i++) {
            if (fault == 10)
                assert_ok(texts_add(&d->items.attributes, "{}", 2, &err), &err);
            if (fault == 11)
                assert_ok(texts_add(&d->users.attributes, "{}", 2, &err), &err);
            if (fault == 12)
                assert_ok(labels_end_row(&d->items.tags, &err), &err);
        }
        assert_ok(dataset_save(d, path_of(path), &err), &err);
        assert_int_equal(dataset_load_own(path, &got, &err), PAL_ECORRUPT);
        assert_non_null(strstr(err.message, path));
        dataset_free(d);
    }
    unlink(path);
}

/* The file stays whole when the checksum goes by another name, but nothing vouches for it then. */
static void checksum_is_needed(void **state)
{
    (void)state;
    struct pal_error err;
    char path[64];
    struct dataset *d = build(true), *got;
    struct file_map map;
    assert_ok(dataset_save(d, path_of(path), &err), &err);
    dataset_free(d);
    assert_ok(file_map(path, &map, &err), &err);
    size_t size = map.size;
    char *bytes = mem_text(map.data, size), *key = memmem(bytes, size, "palate.xxh3", 11);
    file_unmap(&map);
    assert_non_null(key);
    key[10] = '4';
    write_bytes(path, bytes, size);
    mem_free(bytes);
    assert_int_equal(dataset_load_own(path, &got, &err), PAL_ECORRUPT);
    assert_non_null(strstr(err.message, "checksum"));
    unlink(path);
}

static void lack_of_memory_leaks_nothing(void **state)
{
    (void)state;
    struct pal_error err;
    char path[64];
    struct dataset *d = build(true), *got;
    long before = mem_live();
    assert_ok(dataset_save(d, path_of(path), &err), &err);
    for (int saving = 0; saving < 2; saving++)
        for (long fail = 1;; fail++) {
            mem_fail_at(fail);
            enum pal_status st =
                saving ? dataset_save(d, path, &err) : dataset_load_own(path, &got, &err);
            mem_fail_at(0);
            if (st == PAL_OK) {
                if (!saving)
                    dataset_free(got);
                assert_int_equal(mem_live(), before);
                break;
            }
            assert_int_equal(st, PAL_ENOMEM);
            assert_int_equal(mem_live(), before);
            assert_true(fail < 2000);
        }
    dataset_free(d);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_after_loading),           cmocka_unit_test(damage_is_found),
        cmocka_unit_test(contents_are_checked),         cmocka_unit_test(checksum_is_needed),
        cmocka_unit_test(lack_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
