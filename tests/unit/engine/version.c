/* A version's folder, written from models trained on a small data set and read back: the catalog
 * and the answers must be the same; damage to any file must be told, never believed. */
#include "test.h"

#include "base/file.h"
#include "engine/recommender.h"
#include "engine/version.h"

#include <jansson.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ITEMS = 12, USERS = 9 };

struct place {
    char dir[64];
    struct dataset *d;
    struct weights weights;
    struct version_part part[2];
};

static void add_items(struct dataset *d)
{
    struct pal_error err;
    for (uint32_t i = 0; i < ITEMS; i++) {
        char id[16], title[32];
        uint32_t number;
        int len = snprintf(id, sizeof id, "film-%u", i);
        assert_ok(intern_add(&d->items.ids, id, (size_t)len, &number, &err), &err);
        len = snprintf(title, sizeof title, "Film the %uth", i);
        assert_ok(texts_add(&d->items.titles, title, (size_t)len, &err), &err);
        const char *genre = i % 2 ? "Comedy" : "Drama";
        assert_ok(labels_add(&d->items.categories, genre, strlen(genre), &err), &err);
        assert_ok(labels_end_row(&d->items.categories, &err), &err);
    }
}

static struct model *fit(const struct place *p, const char *name)
{
    struct training t;
    struct model *m = NULL;
    struct pal_error err;
    assert_ok(training_make(p->d, &p->d->all, &p->weights, NULL, &t, &err), &err);
    assert_ok(model_fit(model_find(name), NULL, &t, 0, NULL, &m, &err), &err);
    training_done(&t);
    return m;
}

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    if (!p)
        return -1;
    struct rows *rows;
    struct pal_error err;
    uint32_t user;
    strcpy(p->dir, "/tmp/palate-version-XXXXXX");
    if (!mkdtemp(p->dir))
        return -1;
    p->d = dataset_new();
    add_items(p->d);
    assert_ok(rows_new(&rows, &err), &err);
    for (uint32_t u = 0; u < USERS; u++) {
        char id[16];
        int len = snprintf(id, sizeof id, "u%u", u);
        assert_ok(intern_add(&p->d->users.ids, id, (size_t)len, &user, &err), &err);
        for (uint32_t i = 0; i <= u; i++)
            assert_ok(rows_add(rows, (struct row){u, i, 1, 0}, 0, &err), &err);
    }
    assert_ok(rows_finish(rows, USERS, ITEMS, false, &p->d->all, &err), &err);
    rows_free(rows);
    assert_ok(weights_parse("*:1", &p->weights, &err), &err);
    p->part[0].model = fit(p, "popular");
    p->part[1].model = fit(p, "random");
    p->part[0].card = (struct model_card){.data = "tiny",
                                          .weights = "*:1",
                                          .fingerprint = 0xc0ffee,
                                          .interactions = 45,
                                          .created_s = 1722470400,
                                          .metrics_json = "{\"ndcg@10\": 0.5}"};
    assert_ok(version_write(p->dir, &p->d->items, p->part, 2, &err), &err);
    *state = p;
    return 0;
}

static int drop_place(void **state)
{
    static const char *const files[] = {"manifest.json", "catalog.palate", "popular.safetensors",
                                        "random.safetensors"};
    struct place *p = *state;
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", p->dir, files[i]);
        unlink(path);
    }
    rmdir(p->dir);
    model_free(p->part[0].model);
    model_free(p->part[1].model);
    dataset_free(p->d);
    free(p);
    return 0;
}

/* The catalog numbers of a full answer, in order. */
static size_t answer(const struct recommender *r, const char *model, uint32_t order[ITEMS])
{
    uint32_t item = 2;
    float weight = 1;
    struct request q = {
        .history = {.n = 1, .item = &item, .weight = &weight}, .n = ITEMS, .model = model};
    struct recommendation out[ITEMS];
    struct arena tmp = {0};
    struct pal_error err;
    size_t count;
    assert_ok(recommend(r, &q, &tmp, out, &count, &err), &err);
    for (size_t i = 0; i < count; i++)
        order[i] = out[i].item;
    arena_done(&tmp);
    return count;
}

static void what_is_read_back_answers_alike(void **state)
{
    struct place *p = *state;
    struct recommender *r;
    struct pal_error err;
    assert_ok(recommender_open(p->dir, NULL, &r, &err), &err);
    assert_int_equal(recommender_models(r), 2);
    assert_string_equal(recommender_model(r, 0)->ops->name, "popular");
    const struct items *items = recommender_items(r);
    assert_int_equal(items->ids.count, ITEMS);
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint32_t n, m;
        assert_string_equal(intern_text(&items->ids, i), intern_text(&p->d->items.ids, i));
        assert_string_equal(items_name(items, i), items_name(&p->d->items, i));
        const uint32_t *a = labels_at(&items->categories, i, &n);
        const uint32_t *b = labels_at(&p->d->items.categories, i, &m);
        assert_int_equal(n, 1);
        assert_int_equal(m, 1);
        assert_int_equal(a[0], b[0]);
    }
    /* item i was liked by 9 - i users: what is popular is the order of the numbers */
    uint32_t order[ITEMS], random[ITEMS], again[ITEMS];
    assert_int_equal(answer(r, NULL, order), ITEMS - 1);
    for (uint32_t i = 0; i < ITEMS - 1; i++)
        assert_int_equal(order[i], i + (i >= 2));
    assert_int_equal(answer(r, "random", random), ITEMS - 1);
    recommender_free(r);

    assert_ok(recommender_open(p->dir, "random", &r, &err), &err);
    assert_int_equal(recommender_models(r), 1);
    assert_int_equal(answer(r, NULL, again), ITEMS - 1);
    assert_memory_equal(random, again, (ITEMS - 1) * sizeof *again);
    recommender_free(r);
    assert_int_equal(recommender_open(p->dir, "als,random", &r, &err), PAL_ENOTFOUND);
    assert_non_null(strstr(err.message, "no model 'als'; it has popular, random"));
    assert_int_equal(recommender_open(p->dir, "", &r, &err), PAL_EUSAGE);
}

static void the_manifest_tells_people(void **state)
{
    struct place *p = *state;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/manifest.json", p->dir);
    json_t *all = json_load_file(path, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(all, "data")), "tiny");
    assert_string_equal(json_string_value(json_object_get(all, "fingerprint")), "0000000000c0ffee");
    assert_int_equal(json_integer_value(json_object_get(all, "items")), ITEMS);
    json_t *models = json_object_get(all, "models");
    assert_int_equal(json_array_size(models), 2);
    json_t *popular = json_array_get(models, 0);
    assert_string_equal(json_string_value(json_object_get(popular, "file")), "popular.safetensors");
    assert_true(json_real_value(json_object_get(json_object_get(popular, "metrics"), "ndcg@10")) ==
                0.5);
    assert_true(json_is_object(json_object_get(popular, "options")));
    json_decref(all);
}

static void two_of_a_kind_are_refused(void **state)
{
    struct place *p = *state;
    struct version_part twice[] = {p->part[0], p->part[0]};
    struct pal_error err;
    assert_int_equal(version_write(p->dir, &p->d->items, twice, 2, &err), PAL_EUSAGE);
    assert_int_equal(version_write(p->dir, &p->d->items, twice, 0, &err), PAL_EUSAGE);
}

/* Writes the first `size` bytes of a file's content back, one of them changed if flip. */
static void damage(const char *path, const char *bytes, size_t size, int flip)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    char *copy = malloc(size + 1);
    memcpy(copy, bytes, size);
    if (flip && size)
        copy[size - 1] ^= 0x20;
    assert_int_equal(fwrite(copy, 1, size, f), size);
    free(copy);
    fclose(f);
}

static void damage_is_told(void **state)
{
    static const char *const files[] = {"manifest.json", "catalog.palate", "popular.safetensors"};
    struct place *p = *state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[PATH_MAX];
        struct recommender *r;
        struct pal_error err;
        struct file_map map;
        snprintf(path, sizeof path, "%s/%s", p->dir, files[i]);
        assert_ok(file_map(path, &map, &err), &err);
        size_t size = map.size;
        char *bytes = malloc(size);
        memcpy(bytes, map.data, size);
        file_unmap(&map);
        for (size_t part = 0; part < 8; part++) {
            damage(path, bytes, size * part / 8, 0);
            assert_int_equal(recommender_open(p->dir, NULL, &r, &err), PAL_ECORRUPT);
            assert_non_null(strstr(err.message, files[i]));
        }
        if (i > 0) {
            damage(path, bytes, size, 1);
            assert_int_equal(recommender_open(p->dir, NULL, &r, &err), PAL_ECORRUPT);
        }
        unlink(path);
        assert_int_equal(recommender_open(p->dir, NULL, &r, &err), PAL_ENOTFOUND);
        damage(path, bytes, size, 0);
        assert_ok(recommender_open(p->dir, NULL, &r, &err), &err);
        recommender_free(r);
        free(bytes);
    }
}

/* Whoever keeps one place for each kind of model would run out of them. */
static void files_hold_what_their_names_say(void **state)
{
    struct place *p = *state;
    struct pal_error err;
    struct recommender *r;
    char from[PATH_MAX], to[PATH_MAX];
    snprintf(from, sizeof from, "%s/popular.safetensors", p->dir);
    snprintf(to, sizeof to, "%s/random.safetensors", p->dir);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(recommender_open(p->dir, "random", &r, &err), PAL_ECORRUPT);
    assert_non_null(strstr(err.message, "random.safetensors"));
    assert_non_null(strstr(err.message, "'popular'"));
}

/* A whole file, but its checksum goes by another name: nothing vouches for it. */
static void catalog_needs_its_checksum(void **state)
{
    struct place *p = *state;
    struct pal_error err;
    struct recommender *r;
    struct file_map map;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/catalog.palate", p->dir);
    assert_ok(file_map(path, &map, &err), &err);
    size_t size = map.size;
    char *bytes = malloc(size);
    memcpy(bytes, map.data, size);
    file_unmap(&map);
    char *key = memmem(bytes, size, "palate.xxh3", 11);
    assert_non_null(key);
    key[10] = '4';
    damage(path, bytes, size, 0);
    free(bytes);
    assert_int_equal(recommender_open(p->dir, NULL, &r, &err), PAL_ECORRUPT);
    assert_non_null(strstr(err.message, "checksum"));
}

static void odd_manifests_are_refused(void **state)
{
    static const char *const odd[] = {
        "[]",
        "{}",
        "{\"models\": []}",
        "{\"models\": [{\"name\": 3}]}",
        "{\"models\": [{\"name\": \"../als\"}]}",
        "{\"models\": [{\"name\": \"\"}]}",
        "{\"models\": [{\"name\": \"als\"}, {\"name\": \"popular\"}, {\"name\": \"als\"}]}",
        "{\"models\": [{\"name\": \"a-name-that-is-longer-than-any-of-ours\"}]}",
    };
    struct place *p = *state;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/manifest.json", p->dir);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        struct version_names names;
        struct pal_error err;
        damage(path, odd[i], strlen(odd[i]), 0);
        assert_int_equal(version_models(p->dir, &names, &err), PAL_ECORRUPT);
        assert_non_null(strstr(err.message, "manifest.json"));
    }
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_place, drop_place)
    const struct CMUnitTest tests[] = {
        CASE(what_is_read_back_answers_alike), CASE(the_manifest_tells_people),
        CASE(two_of_a_kind_are_refused),       CASE(damage_is_told),
        CASE(odd_manifests_are_refused),       CASE(files_hold_what_their_names_say),
        CASE(catalog_needs_its_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
