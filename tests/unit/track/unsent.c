/* Files of what was not sent: what is put in comes out, once, for the same server only, and damage
 * costs no more than what follows it. */
#include "test.h"

#include "base/file.h"
#include "track/inside.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

static char root[64];
static const char url[] = "http://127.0.0.1:5000";

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/palate-unsent-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static size_t count_files(bool remove)
{
    char folder[PATH_MAX], path[PATH_MAX];
    struct pal_error err;
    size_t n = 0;
    assert_ok(file_join(folder, sizeof folder, root, "unsent", &err), &err);
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        if (*e->d_name == '.')
            continue;
        n++;
        assert_ok(file_join(path, sizeof path, folder, e->d_name, &err), &err);
        if (remove)
            unlink(path);
    }
    if (dir)
        closedir(dir);
    if (remove)
        rmdir(folder);
    return n;
}

static int remove_root(void **state)
{
    (void)state;
    count_files(true);
    return rmdir(root);
}

static json_t *messages(int n)
{
    json_t *all = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(all, json_pack("{s:s, s:s, s:i}", "op", "end", "run", "r", "n", i));
    return all;
}

static void keep(struct unsent *u, json_t *all)
{
    struct pal_error err;
    assert_ok(unsent_close(u, root, url, "palate", all, &err), &err);
    json_decref(all);
}

static void kept_and_taken(void **state)
{
    (void)state;
    json_t *found = json_array(), *want = messages(5), *others = json_array();
    keep(NULL, messages(5));
    assert_int_equal(count_files(false), 1);
    /* Not for other servers or experiments, and not twice at the same time. */
    unsent_leave(unsent_take(root, "http://127.0.0.1:5001", "palate", others));
    unsent_leave(unsent_take(root, url, "other", others));
    struct unsent *u = unsent_take(root, url, "palate", found);
    unsent_leave(unsent_take(root, url, "palate", others));
    assert_int_equal(json_array_size(others), 0);
    assert_true(json_equal(found, want));
    /* Let go of, it is there again; sent in part, the rest is. */
    unsent_leave(u);
    json_array_clear(found);
    u = unsent_take(root, url, "palate", found);
    assert_true(json_equal(found, want));
    json_array_remove(found, 0);
    json_array_remove(want, 0);
    keep(u, json_incref(found));
    assert_int_equal(count_files(false), 1);
    json_array_clear(found);
    u = unsent_take(root, url, "palate", found);
    assert_true(json_equal(found, want));
    keep(u, json_array());
    assert_int_equal(count_files(false), 0);
    json_decref(found);
    json_decref(want);
    json_decref(others);
}

static void several_files(void **state)
{
    (void)state;
    json_t *found = json_array();
    for (int i = 0; i < 3; i++)
        keep(NULL, messages(2));
    assert_int_equal(count_files(false), 3);
    struct unsent *u = unsent_take(root, url, "palate", found);
    assert_int_equal(json_array_size(found), 6);
    keep(u, found);
    assert_int_equal(count_files(false), 1);
}

/* A disk that is full leaves the old file as it is. */
static void nowhere_to_write(void **state)
{
    (void)state;
    struct pal_error err;
    json_t *found = json_array();
    keep(NULL, messages(2));
    struct unsent *u = unsent_take(root, url, "palate", found);
    assert_int_not_equal(unsent_close(u, "/proc/nowhere", url, "palate", found, &err), PAL_OK);
    assert_int_equal(count_files(false), 1);
    json_decref(found);
}

static size_t read_count(const char *text)
{
    json_t *all = unsent_read(text, strlen(text), url, "palate");
    size_t n = json_array_size(all);
    json_decref(all);
    return n;
}

static void damage(void **state)
{
    (void)state;
#define HEAD "{\"palate_unsent\":1,\"url\":\"http://127.0.0.1:5000\",\"experiment\":\"palate\"}\n"
#define LINE "{\"op\":\"end\",\"run\":\"r\"}\n"
    assert_int_equal(read_count(HEAD LINE LINE), 2);
    assert_int_equal(read_count(HEAD LINE "{\"op\":\"end\",\"ru"), 1);
    assert_int_equal(read_count(HEAD LINE "{\"op\":7}\n" LINE), 1);
    assert_int_equal(read_count(HEAD), 0);
    const char *const none[] = {"", "\n", LINE LINE, "{}\n" LINE, "{\"palate_unsent\":2}\n" LINE};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_null(unsent_read(none[i], strlen(none[i]), url, "palate"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(kept_and_taken, make_root, remove_root),
        cmocka_unit_test_setup_teardown(several_files, make_root, remove_root),
        cmocka_unit_test_setup_teardown(nowhere_to_write, make_root, remove_root),
        cmocka_unit_test(damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
