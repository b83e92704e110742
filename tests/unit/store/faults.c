/* What fails outside: our memory and SQLite's at every allocation, the disk full, the file
 * read-only, another process in the way. Each time the call says so, nothing of it is in the store,
 * and the same call made again does the rest. */
#include "test.h"

#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>

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

/* ---- Memory ---- */

static sqlite3_mem_methods theirs;
static long fail_after = -1; /* SQLite's allocation that fails; -1 = none */

static bool fails_now(void)
{
    return fail_after >= 0 && fail_after-- == 0;
}

static void *their_alloc(int size)
{
    return fails_now() ? NULL : theirs.xMalloc(size);
}

static void *their_realloc(void *block, int size)
{
    return fails_now() ? NULL : theirs.xRealloc(block, size);
}

/* Before SQLite is used at all. */
static void take_over_memory(void)
{
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &theirs);
    sqlite3_mem_methods ours = theirs;
    ours.xMalloc = their_alloc;
    ours.xRealloc = their_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0); /* all allocations are seen */
}

static enum pal_status swallow(void *ctx, const struct stored_event *e, struct pal_error *err)
{
    (void)ctx;
    (void)e;
    (void)err;
    return PAL_OK;
}

/* Everything that allocates, in one go. */
static enum pal_status do_all(const struct scene *w, struct pal_error *err)
{
    struct store *s;
    struct dataset *d;
    struct event_types types;
    char *text, path[128];
    enum pal_status st = store_open(w->url, false, &s, err);
    if (st != PAL_OK)
        return st;
    snprintf(path, sizeof path, "%s/backup.db", w->dir);
    st = store_apply(s, h.change, 120, 120, NULL, err);
    if (st == PAL_OK)
        st = store_apply(s, h.change + 120, 80, 200, NULL, err);
    if (st == PAL_OK)
        st = store_put_note(s, "n", "t", err);
    if (st == PAL_OK && (st = store_note(s, "n", &text, err)) == PAL_OK)
        mem_free(text);
    if (st == PAL_OK)
        st = store_user_events(s, "user-1", 0, 10, swallow, NULL, err);
    if (st == PAL_OK)
        st = store_types(s, &types, err);
    if (st == PAL_OK && (st = store_dataset(s, h.change + 190, 60, NULL, &d, NULL, err)) == PAL_OK)
        dataset_free(d);
    if (st == PAL_OK)
        st = store_backup(s, path, NULL, err);
    store_close(s);
    if (st == PAL_OK)
        st = store_restore(w->url, path, err);
    return st;
}

static void any_allocation_may_fail(struct scene *w, bool ours)
{
    struct pal_error err;
    invent(&h, 400, 31, false);
    close_store(w);
    long failed = 0, live = mem_live(), n = ours ? 1 : 0;
    for (;; n += 1 + n / 30) { /* every one at first, then fewer */
        unlink(w->path);
        if (ours)
            mem_fail_at(n);
        else
            fail_after = n;
        err = (struct pal_error){.message = ""};
        enum pal_status st = do_all(w, &err);
        /* a count that is used up has failed somewhere */
        bool reached = ours ? st != PAL_OK : fail_after < 0;
        mem_fail_at(0);
        fail_after = -1;
        assert_int_equal(mem_live(), live);
        failed += st != PAL_OK;
        if (st != PAL_OK) {
            assert_int_equal(st, PAL_ENOMEM);
            assert_true(err.message[0]);
        }
        assert_ok(do_all(w, &err), &err); /* on what was left */
        if (!reached)
            break;
    }
    assert_true(failed > 20);
    assert_ok(store_open(w->url, false, &w->s, &err), &err);
    naive_at(200);
    assert_store_is(w->s, &naive);
}

static void our_memory_runs_out(void **state)
{
    any_allocation_may_fail(*state, true);
}

static void their_memory_runs_out(void **state)
{
    any_allocation_may_fail(*state, false);
}

/* The store stays open: what it keeps in memory of the failed transaction must be gone. */
static void an_open_store_survives(void **state)
{
    struct scene *w = *state;
    long failed = 0;
    invent(&h, 4000, 32, true);
    naive_at(0);
    for (size_t at = 0; at < h.count; at += 50) {
        struct pal_error err;
        enum pal_status st;
        if (at % 100)
            mem_fail_at((long)(at / 50 % 40) + 1);
        else
            fail_after = (long)(at / 50);
        st = store_apply(w->s, h.change + at, 50, at + 50, NULL, &err);
        mem_fail_at(0);
        fail_after = -1;
        if (st != PAL_OK) {
            assert_int_equal(st, PAL_ENOMEM);
            assert_store_is(w->s, &naive); /* nothing of it */
            failed++;
            apply(w->s, h.change + at, 50, at + 50);
        }
        while (naive.n < at + 50)
            naive_step(&naive);
        assert_store_is(w->s, &naive);
    }
    assert_true(failed > 10);
}

/* ---- The disk ---- */

/* A small disk of its own under the test's folder, which only this process sees. False if this user
 * may not have one. */
static bool mount_disk(const char *dir)
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", dir, "tmpfs", 0, "size=3m") == 0;
}

enum { USERS = 3000, BATCH = 20 };

/* Applies batches until one fails, frees room by `relief` and goes on. */
static void fill_up(struct scene *w, void (*relief)(struct scene *w))
{
    struct pal_error err;
    static char attributes[3000], user[BATCH][48];
    struct store_change c[BATCH];
    size_t failures = 0;
    uint64_t position;
    memset(attributes, 'x', sizeof attributes - 1);
    memcpy(attributes, "{\"a\":\"", 6);
    memcpy(attributes + sizeof attributes - 3, "\"}", 3);
    for (size_t done = 0; done < USERS; done += BATCH) {
        for (size_t i = 0; i < BATCH; i++)
            c[i] = (struct store_change){
                .seq = done + i + 1,
                .record = {.kind = RECORD_USER,
                           .user = {word(user[i], "u", done + i), attributes, 1}}};
        enum pal_status st = store_apply(w->s, c, BATCH, done + BATCH, NULL, &err);
        if (st == PAL_OK)
            continue;
        assert_int_equal(st, PAL_EIO);
        assert_true(strstr(err.message, "no room left") || strstr(err.message, "failed"));
        assert_ok(store_position(w->s, &position, &err), &err);
        assert_int_equal(position, done); /* reading goes on, and nothing of it is there */
        failures++;
        relief(w);
        apply(w->s, c, BATCH, done + BATCH);
    }
    assert_int_equal(failures, 1);
    struct store_counts counts;
    reopen(w);
    assert_ok(store_counts(w->s, &counts, &err), &err);
    assert_int_equal(counts.users, USERS);
}

static void enlarge_disk(struct scene *w)
{
    assert_int_equal(mount("none", w->dir, "tmpfs", MS_REMOUNT, "size=100m"), 0);
}

static void lift_limit(struct scene *w)
{
    struct rlimit limit;
    (void)w;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A file may not grow past some size: like a full disk, for users who can't have a disk. */
static void files_reach_their_limit(void **state)
{
    struct scene *w = *state;
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 2 << 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    fill_up(w, lift_limit);
}

static void the_disk_is_full_or_read_only(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    struct store *s;
    char *text;
    close_store(w);
    if (!mount_disk(w->dir)) {
        printf("skipped: this user may not mount a disk\n");
        skip();
    }
    assert_ok(store_open(w->url, false, &w->s, &err), &err);
    fill_up(w, enlarge_disk);
    assert_ok(store_put_note(w->s, "n", "kept", &err), &err);
    close_store(w);
    assert_int_equal(mount("none", w->dir, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL), 0);
    assert_int_equal(store_open(w->url, false, &s, &err), PAL_EIO);
    assert_ok(store_open(w->url, true, &s, &err), &err); /* it can still be read */
    assert_ok(store_note(s, "n", &text, &err), &err);
    assert_string_equal(text, "kept");
    mem_free(text);
    store_close(s);
    assert_int_equal(umount(w->dir), 0);
}

/* Somebody else, with a tool of SQLite's, has it locked. */
static void another_program_holds_it(void **state)
{
    struct scene *w = *state;
    struct pal_error err;
    sqlite3 *db;
    invent(&h, 50, 33, false);
    assert_int_equal(sqlite3_open(w->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(store_apply(w->s, h.change, 50, 50, NULL, &err), PAL_EIO);
    assert_non_null(strstr(err.message, "busy"));
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    apply(w->s, h.change, 50, 50);
    naive_at(50);
    assert_store_is(w->s, &naive);
}

int main(void)
{
    take_over_memory();
#define IN_A_STORE(test) cmocka_unit_test_setup_teardown(test, begin_scene, end_scene)
    const struct CMUnitTest tests[] = {
        IN_A_STORE(our_memory_runs_out),     IN_A_STORE(their_memory_runs_out),
        IN_A_STORE(an_open_store_survives),  IN_A_STORE(another_program_holds_it),
        IN_A_STORE(files_reach_their_limit), IN_A_STORE(the_disk_is_full_or_read_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
