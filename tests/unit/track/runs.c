/* The list of runs in a folder: what a run had is in its line, the newest comes first, a torn line
 * costs nothing but itself, the file is turned over when it is long, and writers don't mix. */
#include "test.h"

#include "base/file.h"
#include "track/inside.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static char root[64];

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/palate-track-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static void in_root(char path[PATH_MAX], const char *name)
{
    struct pal_error err;
    assert_ok(file_join(path, PATH_MAX, root, name, &err), &err);
}

static int remove_root(void **state)
{
    (void)state;
    const char *const names[] = {"runs.jsonl", "runs.1.jsonl"};
    char path[PATH_MAX];
    for (size_t i = 0; i < 2; i++) {
        in_root(path, names[i]);
        unlink(path);
    }
    return rmdir(root);
}

struct seen {
    size_t count;
    json_t *all; /* array */
};

static void see(void *ctx, const char *line, size_t len)
{
    struct seen *s = ctx;
    s->count++;
    json_array_append_new(s->all, json_loadb(line, len, 0, NULL));
}

static struct seen list(size_t most)
{
    struct pal_error err;
    struct seen s = {0, json_array()};
    size_t count = 99;
    assert_ok(track_list(root, most, see, &s, &count, &err), &err);
    assert_int_equal(count, s.count);
    assert_int_equal(count, json_array_size(s.all));
    return s;
}

static const char *text_of(const json_t *run, const char *key)
{
    return json_string_value(json_object_get(run, key));
}

static void what_a_run_had(void **state)
{
    (void)state;
    struct pal_error err;
    struct track *t = NULL;
    char note[100] = "x", name[20];
    struct track_options o = {.root = root};
    assert_ok(track_open(&o, &t, &err), &err);
    struct track_run *outer = track_begin(t, NULL, "tune", "a search \xff of \xe2\x82\xac");
    struct track_run *inner = track_begin(t, outer, "model", "als");
    track_began(inner, 12345);
    track_param(inner, "factors", "64");
    track_param(inner, "factors", "65"); /* the first counts */
    for (int i = 1; i <= 3; i++)
        track_metric(inner, "ndcg@10", .25 * i, i);
    track_metric(inner, "nothing", 0. / 0., 0);
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "m%d", i % 2);
        track_metric(outer, name, i, i + 1);
    }
    track_tag(outer, "palate.best", "als");
    track_artifact(outer, "best.ini", "[als]\n", 6);
    track_end(inner, TRACK_FINISHED, NULL);
    track_end(outer, TRACK_KILLED, "interrupted");
    track_close(t, note, sizeof note);
    assert_string_equal(note, "");
    struct seen s = list(10);
    assert_int_equal(s.count, 2);
    const json_t *first = json_array_get(s.all, 0), *second = json_array_get(s.all, 1);
    assert_string_equal(text_of(first, "status"), "killed");
    assert_string_equal(text_of(first, "message"), "interrupted");
    assert_string_equal(text_of(first, "name"), "a search \xef\xbf\xbd of \xe2\x82\xac");
    assert_string_equal(text_of(second, "parent"), text_of(first, "run"));
    assert_int_equal(json_integer_value(json_object_get(second, "started_ms")), 12345);
    assert_string_equal(text_of(json_object_get(second, "params"), "factors"), "64");
    const json_t *metrics = json_object_get(second, "metrics");
    assert_true(json_real_value(json_object_get(metrics, "ndcg@10")) == .75);
    assert_null(json_object_get(metrics, "nothing"));
    const json_t *steps = json_object_get(json_object_get(second, "steps"), "ndcg@10");
    assert_int_equal(json_array_size(steps), 3);
    assert_int_equal(json_integer_value(json_array_get(json_array_get(steps, 1), 0)), 2);
    const json_t *many = json_object_get(first, "steps");
    assert_int_equal(json_array_size(json_object_get(many, "m0")) +
                         json_array_size(json_object_get(many, "m1")),
                     1000);
    json_decref(s.all);
}

/* A crash in the middle of a line, and what somebody wrote by hand. */
static void torn_lines(void **state)
{
    (void)state;
    struct pal_error err;
    char path[PATH_MAX];
    in_root(path, "runs.jsonl");
    assert_ok(runs_add(root, "{\"run\":\"a\"}", &err), &err);
    FILE *f = fopen(path, "a");
    fputs("hello\n{\"run\":7}\n[]\n\n{\"run\":\"b\",\"na", f);
    fclose(f);
    assert_ok(runs_add(root, "{\"run\":\"c\"}", &err), &err);
    struct seen s = list(10);
    assert_int_equal(s.count, 2);
    assert_string_equal(text_of(json_array_get(s.all, 0), "run"), "c");
    assert_string_equal(text_of(json_array_get(s.all, 1), "run"), "a");
    json_decref(s.all);
    s = list(1);
    assert_int_equal(s.count, 1);
    json_decref(s.all);
}

enum { WRITERS = 4, LINES = 60, LINE = 60000 };

static void *write_some(void *ctx)
{
    struct pal_error err;
    int writer = (int)(intptr_t)ctx;
    char *line = malloc(LINE + 100);
    for (int i = 0; i < LINES; i++) {
        int len = snprintf(line, 100, "{\"run\":\"%d-%d\",\"text\":\"", writer, i);
        memset(line + len, 'a' + writer, LINE);
        memcpy(line + len + LINE, "\"}", 3);
        if (runs_add(root, line, &err))
            return line; /* not NULL: it failed */
    }
    free(line);
    return NULL;
}

/* 4 x 60 x 60 kB: 14 MB, so that the file is turned over while all write. What is left is whole, in
 * order for each writer, ends with the last line of each, and is bounded. */
static void many_writers(void **state)
{
    (void)state;
    pthread_t thread[WRITERS];
    char path[PATH_MAX];
    int last[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        last[i] = LINES;
        assert_int_equal(pthread_create(&thread[i], NULL, write_some, (void *)(intptr_t)i), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        void *failed;
        pthread_join(thread[i], &failed);
        assert_null(failed);
    }
    in_root(path, "runs.1.jsonl");
    assert_true(file_size(path) > 0 && file_size(path) <= 8 << 20);
    in_root(path, "runs.jsonl");
    assert_true(file_size(path) > 0 && file_size(path) <= 8 << 20);
    struct seen s = list(SIZE_MAX);
    assert_true(s.count > (8 << 20) / (LINE + 100) && s.count <= WRITERS * LINES);
    for (size_t i = 0; i < s.count; i++) {
        int writer, number;
        assert_int_equal(
            sscanf(text_of(json_array_get(s.all, i), "run"), "%d-%d", &writer, &number), 2);
        assert_int_equal(number, --last[writer]);
    }
    json_decref(s.all);
}

static void nowhere_to_write(void **state)
{
    (void)state;
    struct pal_error err;
    struct track *t = NULL;
    char note[200];
    struct track_options o = {.root = "/proc/nowhere"};
    assert_ok(track_open(&o, &t, &err), &err);
    track_end(track_begin(t, NULL, "eval", "x"), TRACK_FINISHED, NULL);
    track_close(t, note, sizeof note);
    assert_non_null(strstr(note, "/proc/nowhere"));
    size_t count = 7;
    assert_ok(track_list("/none", 5, see, NULL, &count, &err), &err);
    assert_int_equal(count, 0);
    /* Nothing is fine everywhere. */
    struct track_run *none = track_begin(NULL, NULL, "eval", "x");
    assert_null(none);
    track_began(none, 1);
    track_param(none, "a", "b");
    track_tag(none, "a", "b");
    track_metric(none, "a", 1, 1);
    track_artifact(none, "a", "b", 1);
    track_end(none, TRACK_FINISHED, NULL);
    track_close(NULL, note, sizeof note);
}

static void addresses(void **state)
{
    (void)state;
    const char *const bad[] = {"mlflow:",
                               "mlflow:ftp://x",
                               "localhost:5000",
                               "http://",
                               "http:///x",
                               "http://a b",
                               "http://me:secret@host:5000",
                               "http://host/?x=1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pal_error err = {0};
        struct track *t = NULL;
        struct track_options o = {root, bad[i]};
        assert_int_equal(track_open(&o, &t, &err), PAL_EUSAGE);
        assert_null(t);
        assert_null(strstr(err.message, "secret"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_run_had, make_root, remove_root),
        cmocka_unit_test_setup_teardown(torn_lines, make_root, remove_root),
        cmocka_unit_test_setup_teardown(many_writers, make_root, remove_root),
        cmocka_unit_test_setup_teardown(nowhere_to_write, make_root, remove_root),
        cmocka_unit_test_setup_teardown(addresses, make_root, remove_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
