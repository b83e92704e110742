/* Backup while somebody writes, restore, and files that are damaged: what a backup holds is
 * compared with a naive store at the position that it says. */
#include "test.h"

#include <inttypes.h>
#include <pthread.h>

#include "world.h"

static struct history_of_site h;
static struct naive naive;

static void naive_at(uint64_t position)
{
    memset(&naive, 0, sizeof naive);
    naive.h = &h;
    while (naive.n < position)
        naive_step(&naive);
}

static void beside(const struct scene *w, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", w->dir, name);
}

static void assert_backup_is_whole(const char *path, uint64_t least)
{
    struct pal_error err;
    struct store *s;
    uint64_t position;
    char url[300];
    snprintf(url, sizeof url, "sqlite:%s", path);
    assert_ok(store_open(url, true, &s, &err), &err);
    assert_ok(store_position(s, &position, &err), &err);
    assert_true(position >= least);
    naive_at(position);
    assert_store_is(s, &naive);
    store_close(s);
}

struct writing {
    struct store *s;
    atomic_bool begun;
    bool wrong;
};

static void *write_on(void *ctx)
{
    struct writing *w = ctx;
    for (size_t i = 500; i < h.count; i += 10) {
        w->wrong |= store_apply(w->s, h.change + i, 10, i + 10, NULL, NULL) != PAL_OK;
        w->begun = true;
    }
    return NULL;
}

static void a_backup_is_as_of_one_moment(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    char path[128];
    pthread_t thread;
    struct writing writing = {w->s, false, false};
    beside(w, "backup.db", path);
    invent(&h, 2000, 11, false);
    apply(w->s, h.change, 500, 500);
    assert_int_equal(pthread_create(&thread, NULL, write_on, &writing), 0);
    while (!writing.begun)
        ;
    for (int i = 0; i < 5; i++) { /* each replaces the one before */
        assert_ok(store_backup(w->s, path, NULL, &err), &err);
        assert_backup_is_whole(path, 500);
    }
    pthread_join(thread, NULL);
    assert_false(writing.wrong);
    assert_ok(store_backup(w->s, path, NULL, &err), &err);
    assert_backup_is_whole(path, 2000);
    char temp[144];
    snprintf(temp, sizeof temp, "%s.tmp", path);
    assert_int_not_equal(access(temp, F_OK), 0);
}

static void a_backup_that_fails_leaves_the_old_one(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    atomic_int stop = 1;
    struct run run = {.stop = &stop};
    char path[128];
    beside(w, "backup.db", path);
    invent(&h, 300, 12, false);
    apply(w->s, h.change, 200, 200);
    assert_ok(store_backup(w->s, path, NULL, &err), &err);
    apply(w->s, h.change + 200, 100, 300);
    assert_int_equal(store_backup(w->s, path, &run, &err), PAL_EINTERRUPTED);
    assert_backup_is_whole(path, 200);
    assert_int_equal(store_backup(w->s, w->path, NULL, &err), PAL_EUSAGE);
    beside(w, "no/such/folder", path);
    assert_int_equal(store_backup(w->s, path, NULL, &err), PAL_EIO);
    naive_at(300);
    assert_store_is(w->s, &naive);
}

static void restoring_brings_it_back(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct store *old;
    char path[128], url[300];
    beside(w, "backup.db", path);
    invent(&h, 600, 13, false);
    apply(w->s, h.change, 400, 400);
    assert_ok(store_backup(w->s, path, NULL, &err), &err);
    apply(w->s, h.change + 400, 200, 600);
    assert_int_equal(store_restore(w->url, path, &err), PAL_EIO); /* it is open */
    assert_non_null(strstr(err.message, "in use by process"));
    close_store(w);
    assert_ok(store_restore(w->url, path, &err), &err);
    assert_ok(store_open(w->url, false, &w->s, &err), &err);
    naive_at(400);
    assert_store_is(w->s, &naive);
    apply(w->s, h.change + 400, 200, 600); /* it goes on from there */
    naive_at(600);
    assert_store_is(w->s, &naive);
    snprintf(url, sizeof url, "%s.before-restore", w->url);
    assert_ok(store_open(url, true, &old, &err), &err);
    assert_store_is(old, &naive); /* what was there before */
    store_close(old);
}

static void restoring_where_nothing_is(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct store *s;
    char path[128], url[300];
    beside(w, "backup.db", path);
    invent(&h, 50, 14, false);
    apply(w->s, h.change, 50, 50);
    assert_ok(store_backup(w->s, path, NULL, &err), &err);
    snprintf(url, sizeof url, "sqlite:%s/new.db", w->dir);
    assert_ok(store_restore(url, path, &err), &err);
    assert_ok(store_open(url, true, &s, &err), &err);
    naive_at(50);
    assert_store_is(s, &naive);
    store_close(s);
    assert_int_equal(store_restore(url, "/no/such/backup", &err), PAL_ENOTFOUND);
    snprintf(path, sizeof path, "%s/new.db", w->dir);
    assert_int_equal(store_restore(url, path, &err), PAL_EUSAGE); /* itself */
}

/* The log of a killed writer belongs to its file: it must not be read as part of another one. */
static void a_log_left_behind_goes_with_its_file(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    char path[128], command[512];
    beside(w, "backup.db", path);
    invent(&h, 600, 15, false);
    apply(w->s, h.change, 300, 300);
    assert_ok(store_backup(w->s, path, NULL, &err), &err);
    apply(w->s, h.change + 300, 300, 600);
    /* as after kill -9: the file and its log, copied while it is open */
    snprintf(command, sizeof command,
             "cd %s && mkdir killed && cp palate.db palate.db-wal killed/ && "
             "printf 'garbage, more of it than a page header has ................................"
             ".................................' | dd of=killed/palate.db conv=notrunc 2>/dev/null",
             w->dir);
    assert_int_equal(system(command), 0);
    char url[300], log[160];
    snprintf(url, sizeof url, "sqlite:%s/killed/palate.db", w->dir);
    assert_ok(store_restore(url, path, &err), &err);
    struct store *s;
    assert_ok(store_open(url, false, &s, &err), &err);
    naive_at(300);
    assert_store_is(s, &naive);
    store_close(s);
    snprintf(log, sizeof log, "%s/killed/palate.db.before-restore", w->dir);
    assert_int_equal(access(log, F_OK), 0);
}

static void damaged_backups_are_refused(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    char path[128], wal[144];
    beside(w, "backup.db", path);
    invent(&h, 1500, 16, false);
    apply(w->s, h.change, 1500, 1500);
    assert_ok(store_backup(w->s, path, NULL, &err), &err);
    close_store(w);
    FILE *f = fopen(path, "r+b");
    static char rubbish[4096];
    memset(rubbish, 0x5a, sizeof rubbish);
    fseek(f, 2 * 4096, SEEK_SET);
    fwrite(rubbish, 1, sizeof rubbish, f);
    fclose(f);
    assert_int_equal(store_restore(w->url, path, &err), PAL_ECORRUPT);
    assert_int_equal(truncate(path, 5000), 0);
    assert_int_equal(store_restore(w->url, path, &err), PAL_ECORRUPT);
    snprintf(wal, sizeof wal, "%s-wal", path);
    f = fopen(wal, "w");
    fputs("x", f);
    fclose(f);
    assert_int_equal(store_restore(w->url, path, &err), PAL_EUSAGE);
    assert_non_null(strstr(err.message, "palate backup"));
    naive_at(1500); /* none of it touched the store */
    assert_ok(store_open(w->url, false, &w->s, &err), &err);
    assert_store_is(w->s, &naive);
}

/* ---- Damage to the store itself ---- */

static enum pal_status swallow(void *ctx, const struct stored_event *e, struct pal_error *err)
{
    (void)ctx;
    (void)err;
    assert_non_null(e->event.user_id);
    return PAL_OK;
}

/* Reads and writes all that can be; true if something was found damaged. */
static bool use(const struct scene *w)
{
    struct pal_error err = {.message = ""};
    struct store *s;
    struct dataset *d;
    bool damaged = false;
    enum pal_status st = store_open(w->url, false, &s, &err);
    if (st != PAL_OK) {
        assert_true(err.message[0]);
        return st == PAL_ECORRUPT;
    }
    damaged |= store_events(s, 0, swallow, NULL, &err) == PAL_ECORRUPT;
    for (unsigned i = 0; i < 12; i++) {
        char user[48];
        word(user, "user-", i);
        damaged |= store_user_events(s, user, 0, 1000, swallow, NULL, &err) == PAL_ECORRUPT;
    }
    if ((st = store_dataset(s, NULL, 0, NULL, &d, NULL, &err)) == PAL_OK)
        dataset_free(d);
    damaged |= st == PAL_ECORRUPT;
    for (unsigned i = 0; i < 12; i++) {
        char user[48];
        struct store_change c[] = {event_change(0, word(user, "user-", i), "x", "like", 1, "e1"),
                                   id_change(0, RECORD_USER_DELETE, user)};
        damaged |= store_apply(s, c, 2, 0, NULL, &err) == PAL_ECORRUPT;
    }
    store_close(s);
    return damaged;
}

static void copy(const char *from, const char *to, long at, const char *bytes, size_t size)
{
    char command[300];
    snprintf(command, sizeof command, "cp %s %s", from, to);
    assert_int_equal(system(command), 0);
    FILE *f = fopen(to, "r+b");
    fseek(f, at, SEEK_SET);
    fwrite(bytes, 1, size, f);
    fclose(f);
}

/* Whatever is overwritten: a status, never a crash, and pages of rubbish are noticed. */
static void damage_is_noticed(void **state)
{
    struct scene *w = *state;
    struct rng r;
    char whole[128], rubbish[4096];
    rng_init(&r, 9, 0);
    invent(&h, 4000, 17, false);
    apply(w->s, h.change, 4000, 4000);
    close_store(w);
    beside(w, "whole.db", whole);
    assert_int_equal(rename(w->path, whole), 0);
    struct stat info;
    assert_int_equal(stat(whole, &info), 0);
    unsigned pages = 0, noticed = 0;
    memset(rubbish, 0xee, sizeof rubbish);
    for (long at = 0; at + 4096 <= info.st_size; at += 4096, pages++) {
        copy(whole, w->path, at, rubbish, sizeof rubbish);
        noticed += use(w);
    }
    assert_true(pages > 15);
    assert_true(noticed > pages / 2); /* some are not in use, or hold nothing that is read here */
    for (int i = 0; i < 60; i++) {
        char byte = (char)rng_next(&r);
        copy(whole, w->path, (long)rng_below(&r, (uint64_t)info.st_size), &byte, 1);
        (void)use(w);
    }
}

int main(void)
{
#define IN_A_STORE(test) cmocka_unit_test_setup_teardown(test, begin_scene, end_scene)
    const struct CMUnitTest tests[] = {
        IN_A_STORE(a_backup_is_as_of_one_moment),
        IN_A_STORE(a_backup_that_fails_leaves_the_old_one),
        IN_A_STORE(restoring_brings_it_back),
        IN_A_STORE(restoring_where_nothing_is),
        IN_A_STORE(a_log_left_behind_goes_with_its_file),
        IN_A_STORE(damaged_backups_are_refused),
        IN_A_STORE(damage_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
