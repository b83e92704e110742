/* What every kind of registry must do, whatever keeps the versions: a folder, or, where
 * PALATE_TEST_BUCKET names one ("s3://BUCKET", see tests/backend/s3.py), a bucket. Another machine
 * is one that has no copies yet; publishers that work at the same time are real processes. */
#include "folder.h"

#include "registry/backend.h"
#include "registry/s3.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct place {
    char dir[64]; /* made by mkdtemp */
    char root[200];
    unsigned machines;
};

/* From now on nothing is known of the server. */
static void another_machine(struct place *p)
{
    char cache[96];
    snprintf(cache, sizeof cache, "%s/machine-%u", p->dir, p->machines++);
    assert_int_equal(setenv("PALATE_MODELS_CACHE", cache, 1), 0);
}

static int make_place(void **state)
{
    static unsigned made;
    const char *bucket = getenv("PALATE_TEST_BUCKET");
    struct place *p = calloc(1, sizeof *p);
    if (!p)
        return -1;
    strcpy(p->dir, "/tmp/palate-registry-XXXXXX");
    if (!mkdtemp(p->dir))
        return -1;
    if (bucket)
        snprintf(p->root, sizeof p->root, "%s/a b=ü/%ld-%u", bucket, (long)getpid(), made++);
    else
        snprintf(p->root, sizeof p->root, "%s/models", p->dir);
    another_machine(p);
    *state = p;
    return 0;
}

static int drop_place(void **state)
{
    struct place *p = *state;
    remove_folder(p->dir);
    free(p);
    return 0;
}

/* Byte i of the file that belongs to a number. */
static unsigned char byte_of(uint32_t number, size_t i)
{
    return (unsigned char)((i * 2654435761u + number * 40503u) >> 13);
}

static void write_bytes(const char *dir, const char *name, uint32_t number, size_t size)
{
    char path[PATH_MAX + 256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < size; i++)
        putc(byte_of(number, i), f);
    assert_int_equal(fclose(f), 0);
}

static void assert_bytes(const char *dir, const char *name, uint32_t number, size_t size)
{
    char path[PATH_MAX + 256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    for (size_t i = 0; i < size; i++) {
        int c = getc(f);
        if (c != byte_of(number, i))
            fail_msg("%s: byte %zu is %d", path, i, c);
    }
    assert_int_equal(getc(f), EOF);
    fclose(f);
}

/* A version of three files; its content belongs to `mark`. */
static void fill(const char *dir, uint32_t mark)
{
    write_bytes(dir, "als.safetensors", mark, 10007);
    write_bytes(dir, "empty", mark, 0);
    write_bytes(dir, "manifest.json", mark, 40);
}

static void assert_whole(const struct registry_version *v, uint32_t mark)
{
    assert_bytes(v->path, "als.safetensors", mark, 10007);
    assert_bytes(v->path, "empty", mark, 0);
    assert_bytes(v->path, "manifest.json", mark, 40);
}

static uint32_t publish(const char *root, uint32_t mark, int activate)
{
    struct registry_version v = {0};
    struct pal_error err;
    assert_ok(registry_begin(root, &v, &err), &err);
    fill(v.path, mark);
    assert_ok(registry_publish(root, &v, activate, &err), &err);
    assert_whole(&v, mark);
    return v.number;
}

static uint32_t live(const char *root, uint32_t mark)
{
    struct registry_version v;
    struct pal_error err;
    assert_ok(registry_current(root, &v, &err), &err);
    assert_whole(&v, mark);
    return v.number;
}

static size_t count_of(const char *root)
{
    struct registry_version *all = NULL;
    struct pal_error err;
    size_t count = 99;
    assert_ok(registry_list(root, &all, &count, &err), &err);
    mem_free(all);
    return count;
}

static void a_version_appears_whole(void **state)
{
    struct place *p = *state;
    struct registry_version v = {0}, last;
    struct pal_error err;
    assert_int_equal(count_of(p->root), 0);
    assert_ok(registry_begin(p->root, &v, &err), &err);
    assert_int_equal(v.number, 1);
    assert_int_equal(count_of(p->root), 0);                               /* being built */
    assert_int_equal(registry_publish(p->root, &v, 1, &err), PAL_EUSAGE); /* no manifest yet */
    assert_int_equal(count_of(p->root), 0);
    fill(v.path, 1);
    assert_ok(registry_publish(p->root, &v, 1, &err), &err);
    assert_whole(&v, 1);
    assert_int_equal(live(p->root, 1), 1);
    registry_abandon(p->root, &v); /* does nothing to a published one */
    assert_int_equal(live(p->root, 1), 1);

    another_machine(p);
    if (getenv("PALATE_TEST_BUCKET"))
        assert_int_equal(registry_last(p->root, &last, &err), PAL_ENOTFOUND);
    assert_int_equal(live(p->root, 1), 1);
    assert_int_equal(live(p->root, 1), 1); /* and out of what is here now */
    assert_ok(registry_last(p->root, &last, &err), &err);
    assert_int_equal(last.number, 1);
    assert_whole(&last, 1);
}

static void versions_are_listed_and_switched(void **state)
{
    struct place *p = *state;
    struct pal_error err;
    struct registry_version *all = NULL, v;
    size_t count;
    for (uint32_t i = 1; i <= 12; i++)
        assert_int_equal(publish(p->root, i, i <= 2), i);
    assert_int_equal(live(p->root, 2), 2); /* the later ones were published without going live */
    for (int machine = 0; machine < 2; machine++) {
        assert_ok(registry_list(p->root, &all, &count, &err), &err);
        assert_int_equal(count, 12);
        for (uint32_t i = 0; i < 12; i++) {
            assert_int_equal(all[i].number, i + 1);
            assert_bytes(all[i].path, "manifest.json", i + 1, 40);
        }
        mem_free(all);
        another_machine(p);
    }
    assert_ok(registry_activate(p->root, 11, &err), &err);
    assert_int_equal(live(p->root, 11), 11);
    assert_ok(registry_activate(p->root, 1, &err), &err);
    assert_int_equal(live(p->root, 1), 1);
    assert_int_equal(registry_activate(p->root, 13, &err), PAL_ENOTFOUND);
    assert_non_null(strstr(err.message, "no version 13; it has …, 5, 6, 7, 8, 9, 10, 11, 12"));
    assert_int_equal(registry_activate(p->root, 0, &err), PAL_ENOTFOUND);
    assert_int_equal(live(p->root, 1), 1);
    assert_ok(registry_find(p->root, 4, &v, &err), &err);
    assert_int_equal(v.number, 4);
    assert_whole(&v, 4);
    assert_int_equal(publish(p->root, 13, 1), 13);
    assert_int_equal(live(p->root, 13), 13);
}

static void an_empty_place_says_what_to_do(void **state)
{
    struct place *p = *state;
    struct pal_error err;
    struct registry_version v = {.number = 77};
    assert_int_equal(registry_current(p->root, &v, &err), PAL_ENOTFOUND);
    assert_non_null(strstr(err.message, "palate train"));
    assert_int_equal(registry_last(p->root, &v, &err), PAL_ENOTFOUND);
    assert_int_equal(registry_activate(p->root, 1, &err), PAL_ENOTFOUND);
    assert_int_equal(registry_remove(p->root, 1, &err), PAL_ENOTFOUND);
    publish(p->root, 1, 0);
    publish(p->root, 2, 0);
    assert_int_equal(registry_current(p->root, &v, &err), PAL_ENOTFOUND);
    assert_non_null(strstr(err.message, "is live; it has 1, 2"));
    assert_int_equal(v.number, 77); /* untouched by all that failed */
}

static void an_abandoned_version_leaves_nothing(void **state)
{
    struct place *p = *state;
    struct registry_version v = {0};
    struct pal_error err;
    registry_abandon(p->root, &v);
    assert_ok(registry_begin(p->root, &v, &err), &err);
    fill(v.path, 1);
    char path[PATH_MAX];
    strcpy(path, v.path);
    registry_abandon(p->root, &v);
    assert_int_equal(v.number, 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(publish(p->root, 5, 1), 1);
}

/* Four processes, each on a machine of its own, publish four versions each at the same time: all
 * numbers differ, all versions are whole, and one of them is live. */
static void publishers_do_not_collide(void **state)
{
    enum { PROCESSES = 4, EACH = 4 };
    struct place *p = *state;
    struct pal_error err;
    struct registry_version *all = NULL, v;
    size_t count;
    pid_t child[PROCESSES];
    for (int c = 0; c < PROCESSES; c++) {
        another_machine(p);
        child[c] = fork();
        if (child[c])
            continue;
        for (int i = 0; i < EACH; i++) {
            v = (struct registry_version){0};
            if (registry_begin(p->root, &v, &err) != PAL_OK)
                _exit(1);
            fill(v.path, v.number);
            if (registry_publish(p->root, &v, 1, &err) != PAL_OK)
                _exit(2);
        }
        _exit(0);
    }
    for (int c = 0; c < PROCESSES; c++) {
        int status = -1;
        assert_int_equal(waitpid(child[c], &status, 0), child[c]);
        assert_int_equal(status, 0);
    }
    another_machine(p);
    assert_ok(registry_list(p->root, &all, &count, &err), &err);
    assert_int_equal(count, PROCESSES * EACH);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(all[i].number, i + 1);
        assert_ok(registry_find(p->root, all[i].number, &v, &err), &err);
        assert_whole(&v, all[i].number);
    }
    mem_free(all);
    assert_ok(registry_current(p->root, &v, &err), &err);
    assert_in_range(v.number, 1, PROCESSES * EACH);
    assert_whole(&v, v.number);
}

static void old_versions_are_deleted(void **state)
{
    struct place *p = *state;
    struct registry_version v, *all = NULL;
    struct pal_error err;
    size_t count;
    for (uint32_t i = 1; i <= 3; i++)
        publish(p->root, i, 1);
    publish(p->root, 4, 0);
    assert_int_equal(registry_remove(p->root, 3, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "live"));
    assert_int_equal(registry_remove(p->root, 9, &err), PAL_ENOTFOUND);
    assert_ok(registry_remove(p->root, 1, &err), &err);
    assert_int_equal(registry_find(p->root, 1, &v, &err), PAL_ENOTFOUND);
    assert_int_equal(registry_remove(p->root, 1, &err), PAL_ENOTFOUND);
    assert_ok(registry_list(p->root, &all, &count, &err), &err);
    assert_int_equal(count, 3);
    assert_int_equal(all[0].number, 2);
    mem_free(all);
    assert_int_equal(live(p->root, 3), 3);
    assert_int_equal(publish(p->root, 5, 0), 5);
}

/* The highest number is given again, and nobody takes the new one for the old, not even who has a
 * copy of that. */
static void a_number_that_is_given_again_is_another_version(void **state)
{
    struct place *p = *state;
    struct registry_version v;
    struct pal_error err;
    publish(p->root, 1, 1);
    publish(p->root, 2, 1);
    assert_int_equal(live(p->root, 2), 2);
    assert_ok(registry_activate(p->root, 1, &err), &err);
    assert_ok(registry_remove(p->root, 2, &err), &err);
    char here[96];
    snprintf(here, sizeof here, "%s", getenv("PALATE_MODELS_CACHE"));
    another_machine(p);
    assert_int_equal(publish(p->root, 77, 1), 2);
    setenv("PALATE_MODELS_CACHE", here, 1);
    assert_int_equal(live(p->root, 77), 2);
    assert_ok(registry_find(p->root, 2, &v, &err), &err);
    assert_whole(&v, 77);
}

/* 40 MB and some bytes: three parts, the last of them short. */
static void a_large_file_arrives(void **state)
{
    enum { SIZE = 40000001 };
    struct place *p = *state;
    struct registry_version v = {0};
    struct pal_error err;
    assert_ok(registry_begin(p->root, &v, &err), &err);
    write_bytes(v.path, "als.safetensors", 1, SIZE);
    write_bytes(v.path, "just", 2, 16 << 20); /* the most that goes up in one piece */
    write_bytes(v.path, "manifest.json", 1, 40);
    assert_ok(registry_publish(p->root, &v, 1, &err), &err);
    another_machine(p);
    assert_ok(registry_current(p->root, &v, &err), &err);
    assert_bytes(v.path, "als.safetensors", 1, SIZE);
    assert_bytes(v.path, "just", 2, 16 << 20);
}

/* What lies beside the versions on this machine has a place. */
static void there_is_a_local_folder(void **state)
{
    struct place *p = *state;
    struct registry_version v;
    struct pal_error err;
    char local[PATH_MAX];
    publish(p->root, 1, 1);
    assert_ok(registry_local(p->root, local, sizeof local, &err), &err);
    assert_ok(registry_current(p->root, &v, &err), &err);
    assert_memory_equal(v.path, local, strlen(local));
    assert_int_equal(registry_local(p->root, local, 3, &err), PAL_EUSAGE);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_place, drop_place)
    const struct CMUnitTest tests[] = {
        CASE(a_version_appears_whole),
        CASE(versions_are_listed_and_switched),
        CASE(an_empty_place_says_what_to_do),
        CASE(an_abandoned_version_leaves_nothing),
        CASE(publishers_do_not_collide),
        CASE(old_versions_are_deleted),
        CASE(a_number_that_is_given_again_is_another_version),
        CASE(a_large_file_arrives),
        CASE(there_is_a_local_folder),
    };
    registry_add_kind(&registry_s3);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
