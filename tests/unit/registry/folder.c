/* The registry on a real folder: what each call leaves on disk is looked at with plain file calls,
 * and builders that die or work at the same time are real processes. */
#include "folder.h"

#include "registry/registry.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct place {
    char dir[64];  /* made by mkdtemp */
    char root[96]; /* dir/models: not there yet */
};

static int make_place(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    if (!p)
        return -1;
    strcpy(p->dir, "/tmp/palate-registry-XXXXXX");
    if (!mkdtemp(p->dir))
        return -1;
    snprintf(p->root, sizeof p->root, "%s/models", p->dir);
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

static void write_text(const char *dir, const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int there(const char *dir, const char *name)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

static void make_folder(const char *dir, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(mkdir(path, 0777), 0);
}

/* Builds and publishes one more version; its number. */
static uint32_t publish(const char *root, int activate)
{
    struct registry_version v = {0};
    struct pal_error err;
    assert_ok(registry_begin(root, &v, &err), &err);
    write_text(v.path, "manifest.json", "{}");
    assert_ok(registry_publish(root, &v, activate, &err), &err);
    return v.number;
}

static uint32_t live(const char *root)
{
    struct registry_version v;
    struct pal_error err;
    assert_ok(registry_current(root, &v, &err), &err);
    assert_true(there(v.path, "manifest.json"));
    return v.number;
}

static void a_version_appears_whole(void **state)
{
    struct place *p = *state;
    struct registry_version v = {0}, *all = NULL;
    struct pal_error err;
    size_t count = 9;
    assert_ok(registry_begin(p->root, &v, &err), &err);
    assert_int_equal(v.number, 1);
    assert_true(there(p->root, "000001.new"));
    assert_ok(registry_list(p->root, &all, &count, &err), &err);
    assert_int_equal(count, 0); /* being built: not to be seen */
    mem_free(all);

    assert_int_equal(registry_publish(p->root, &v, 1, &err), PAL_EUSAGE); /* no manifest yet */
    write_text(v.path, "manifest.json", "{}");
    assert_ok(registry_publish(p->root, &v, 1, &err), &err);
    assert_false(there(p->root, "000001.new"));
    assert_true(there(p->root, "000001/manifest.json"));
    assert_false(there(p->root, "000001/.lock"));
    assert_string_equal(strrchr(v.path, '/'), "/000001");
    assert_int_equal(live(p->root), 1);
    registry_abandon(p->root, &v); /* does nothing to a published one */
    assert_int_equal(live(p->root), 1);
}

static void versions_are_listed_and_switched(void **state)
{
    struct place *p = *state;
    struct pal_error err;
    struct registry_version *all = NULL, v;
    size_t count;
    for (uint32_t i = 1; i <= 12; i++)
        assert_int_equal(publish(p->root, i <= 2), i);
    assert_int_equal(live(p->root), 2); /* the later ones were published without going live */
    make_folder(p->root, "000013");     /* no manifest: no version */
    make_folder(p->root, "0000003");    /* not a name of ours */
    assert_ok(registry_list(p->root, &all, &count, &err), &err);
    assert_int_equal(count, 12);
    for (uint32_t i = 0; i < 12; i++)
        assert_int_equal(all[i].number, i + 1);
    mem_free(all);

    assert_ok(registry_activate(p->root, 11, &err), &err);
    assert_int_equal(live(p->root), 11);
    assert_ok(registry_activate(p->root, 1, &err), &err);
    assert_int_equal(live(p->root), 1);
    assert_int_equal(registry_activate(p->root, 13, &err), PAL_ENOTFOUND);
    assert_non_null(strstr(err.message, "no version 13; it has …, 5, 6, 7, 8, 9, 10, 11, 12"));
    assert_int_equal(live(p->root), 1);
    assert_ok(registry_find(p->root, 4, &v, &err), &err);
    assert_non_null(strstr(v.path, "/models/000004"));
    assert_int_equal(publish(p->root, 0), 14); /* 13 is taken, be it what it may */
}

static void an_empty_or_damaged_folder_says_what_to_do(void **state)
{
    struct place *p = *state;
    struct pal_error err;
    struct registry_version v = {.number = 77};
    assert_int_equal(registry_current(p->root, &v, &err), PAL_ENOTFOUND);
    assert_non_null(strstr(err.message, "palate train"));
    assert_int_equal(registry_activate(p->root, 1, &err), PAL_ENOTFOUND);

    publish(p->root, 0);
    publish(p->root, 0);
    assert_int_equal(registry_current(p->root, &v, &err), PAL_ENOTFOUND);
    assert_non_null(strstr(err.message, "is live; it has 1, 2"));

    static const char *const damaged[] = {
        "", "\n", "abc\n", "-1\n", "1 2\n", "0\n", "99999999999999999999999\n", "1\n\n"};
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        write_text(p->root, "CURRENT", damaged[i]);
        assert_int_equal(registry_current(p->root, &v, &err), PAL_ECORRUPT);
        assert_non_null(strstr(err.message, "CURRENT"));
    }
    write_text(p->root, "CURRENT", "000003\n");
    assert_int_equal(registry_current(p->root, &v, &err), PAL_ECORRUPT);
    assert_non_null(strstr(err.message, "it has 1, 2"));
    assert_int_equal(v.number, 77); /* untouched by all that failed */
    assert_ok(registry_activate(p->root, 2, &err), &err);
    assert_int_equal(live(p->root), 2);

    write_text(p->dir, "file", "x");
    char path[128];
    snprintf(path, sizeof path, "%s/file", p->dir);
    assert_int_equal(registry_begin(path, &v, &err), PAL_EIO);
}

static void an_abandoned_version_leaves_nothing(void **state)
{
    struct place *p = *state;
    struct registry_version v = {0};
    struct pal_error err;
    registry_abandon(p->root, &v);
    assert_ok(registry_begin(p->root, &v, &err), &err);
    write_text(v.path, "als.safetensors", "x");
    registry_abandon(p->root, &v);
    assert_int_equal(v.number, 0);
    assert_false(there(p->root, "000001.new"));
    assert_int_equal(publish(p->root, 1), 1);
}

/* A process that dies while it builds leaves its folder; one that lives keeps it. */
static void what_the_dead_left_is_swept_away(void **state)
{
    struct place *p = *state;
    struct registry_version v = {0};
    struct pal_error err;
    pid_t child = fork();
    if (child == 0) {
        if (registry_begin(p->root, &v, &err) == PAL_OK)
            write_text(v.path, "als.safetensors", "half of it");
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(there(p->root, "000001.new/als.safetensors"));

    struct registry_version mine = {0}, other = {0};
    assert_ok(registry_begin(p->root, &mine, &err), &err);
    assert_false(there(p->root, "000001.new")); /* gone, and its number is not reused */
    assert_int_equal(mine.number, 2);
    assert_ok(registry_begin(p->root, &other, &err), &err);
    assert_int_equal(other.number, 3);
    assert_true(there(p->root, "000002.new"));
    registry_abandon(p->root, &other);
    write_text(mine.path, "manifest.json", "{}");
    assert_ok(registry_publish(p->root, &mine, 1, &err), &err);
    assert_int_equal(live(p->root), 2);
}

/* Four processes publish eight versions each at the same time: 32 distinct whole versions. */
static void publishers_do_not_collide(void **state)
{
    enum { PROCESSES = 4, EACH = 8 };
    struct place *p = *state;
    struct pal_error err;
    pid_t child[PROCESSES];
    for (int c = 0; c < PROCESSES; c++) {
        child[c] = fork();
        if (child[c])
            continue;
        for (int i = 0; i < EACH; i++) {
            struct registry_version v = {0};
            if (registry_begin(p->root, &v, &err) != PAL_OK)
                _exit(1);
            write_text(v.path, "manifest.json", "{}");
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
    struct registry_version *all = NULL;
    size_t count;
    assert_ok(registry_list(p->root, &all, &count, &err), &err);
    assert_int_equal(count, PROCESSES * EACH);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(all[i].number, i + 1);
    mem_free(all);
    assert_in_range(live(p->root), 1, PROCESSES * EACH);
}

/* All but the live one can be deleted; a reader sees it whole or not at all. */
static void old_versions_are_deleted(void **state)
{
    struct place *p = *state;
    struct registry_version v, *all = NULL;
    struct pal_error err;
    size_t count;
    for (int i = 0; i < 3; i++)
        publish(p->root, 1);
    publish(p->root, 0);
    assert_int_equal(registry_remove(p->root, 3, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "live"));
    assert_int_equal(registry_remove(p->root, 9, &err), PAL_ENOTFOUND);
    assert_ok(registry_remove(p->root, 1, &err), &err);
    assert_int_equal(registry_find(p->root, 1, &v, &err), PAL_ENOTFOUND);
    assert_false(there(p->root, "000001"));
    assert_false(there(p->root, "000001.new"));
    assert_int_equal(registry_remove(p->root, 1, &err), PAL_ENOTFOUND);
    assert_ok(registry_list(p->root, &all, &count, &err), &err);
    assert_int_equal(count, 3);
    assert_int_equal(all[0].number, 2);
    mem_free(all);
    assert_int_equal(live(p->root), 3);
    assert_int_equal(publish(p->root, 0), 5);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_place, drop_place)
    const struct CMUnitTest tests[] = {
        CASE(a_version_appears_whole),
        CASE(versions_are_listed_and_switched),
        CASE(an_empty_or_damaged_folder_says_what_to_do),
        CASE(an_abandoned_version_leaves_nothing),
        CASE(what_the_dead_left_is_swept_away),
        CASE(publishers_do_not_collide),
        CASE(old_versions_are_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
