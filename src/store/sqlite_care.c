/* Backup and restore. A backup is an SQLite file of its own, without a log beside it. */
#include "store/sqlite.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STEP_PAGES = 4096, COPY_BYTES = 1 << 20 };

static enum pal_status fail_errno(struct pal_error *err, const char *what, const char *path)
{
    return pal_fail(err, PAL_EIO, "cannot %s %s: %s", what, path, strerror(errno));
}

/* path + ending. */
static enum pal_status beside(char out[PATH_MAX], const char *path, const char *ending,
                              struct pal_error *err)
{
    int n = snprintf(out, PATH_MAX, "%s%s", path, ending);
    return n > 0 && n < PATH_MAX ? PAL_OK
                                 : pal_fail(err, PAL_EUSAGE, "%s: the path is too long", path);
}

/* Makes what was done to a file's or folder's names survive the power. */
static enum pal_status sync_path(const char *path, struct pal_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(err, "open", path);
    enum pal_status st = fsync(fd) ? fail_errno(err, "sync", path) : PAL_OK;
    close(fd);
    return st;
}

static enum pal_status sync_folder_of(const char *path, struct pal_error *err)
{
    char copy[PATH_MAX];
    enum pal_status st = beside(copy, path, "", err);
    return st == PAL_OK ? sync_path(dirname(copy), err) : st;
}

/* The transaction that the reader has begun keeps what is copied as of one moment: without one
 * SQLite would begin again after every commit of the writer. */
static enum pal_status copy_pages(struct conn *from, struct conn *to, const struct run *run,
                                  struct pal_error *err)
{
    sqlite3_backup *b = sqlite3_backup_init(to->db, "main", from->db, "main");
    if (!b)
        return sql_fail(to, sqlite3_errcode(to->db), err);
    int rc = SQLITE_OK;
    enum pal_status st = PAL_OK;
    while (rc == SQLITE_OK && st == PAL_OK) {
        rc = sqlite3_backup_step(b, STEP_PAGES);
        uint64_t total = (uint64_t)sqlite3_backup_pagecount(b);
        st = run_step(run, "copying", total - (uint64_t)sqlite3_backup_remaining(b), total, err);
    }
    sqlite3_backup_finish(b);
    if (st == PAL_OK && rc != SQLITE_DONE)
        st = sql_fail(rc == SQLITE_CORRUPT ? from : to, rc, err);
    return st;
}

static enum pal_status copy_store(struct sqlite_store *s, const char *temp, const struct run *run,
                                  struct pal_error *err)
{
    struct conn *from, *to;
    struct state state;
    enum pal_status st = reader_take(s, &from, err);
    if (st != PAL_OK)
        return st;
    st = conn_open(temp, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &to, err);
    if (st == PAL_OK) {
        st = state_read(from, &state, err); /* from here on it sees one moment */
        if (st == PAL_OK)
            st = sql_script(to, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", err);
        if (st == PAL_OK)
            st = copy_pages(from, to, run, err);
        if (st == PAL_OK)
            st = sql_script(to, "PRAGMA journal_mode = DELETE", err);
        conn_close(to);
    }
    reader_give(s, from);
    return st;
}

enum pal_status sqlite_backup(struct store *base, const char *path, const struct run *run,
                              struct pal_error *err)
{
    struct sqlite_store *s = (struct sqlite_store *)base;
    char temp[PATH_MAX], real[PATH_MAX];
    if (realpath(path, real) && strcmp(real, s->path) == 0)
        return pal_fail(err, PAL_EUSAGE, "%s is the store itself: name another file", path);
    enum pal_status st = beside(temp, path, ".tmp", err);
    if (st != PAL_OK)
        return st;
    unlink(temp); /* of a backup that was killed */
    st = copy_store(s, temp, run, err);
    if (st == PAL_OK)
        st = sync_path(temp, err);
    if (st == PAL_OK && rename(temp, path))
        st = fail_errno(err, "write", path);
    if (st == PAL_OK)
        st = sync_folder_of(path, err);
    if (st != PAL_OK)
        unlink(temp);
    return st;
}

/* Is every page of the backup as it should be, and is it a store? */
static enum pal_status check_pages(struct conn *c, struct pal_error *err)
{
    sqlite3_stmt *q = NULL;
    enum pal_status st = schema_check(c, true, err);
    if (st != PAL_OK)
        return st;
    int rc = sqlite3_prepare_v2(c->db, "PRAGMA integrity_check(1)", -1, &q, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(q);
    if (rc != SQLITE_ROW)
        st = sql_fail(c, rc, err);
    else if (strcmp(sql_text(q, 0), "ok") != 0)
        st = pal_fail(err, PAL_ECORRUPT, "%s is damaged: %s", c->path, sql_text(q, 0));
    sqlite3_finalize(q);
    return st;
}

static enum pal_status check_backup(const char *backup, struct pal_error *err)
{
    struct conn *c;
    char wal[PATH_MAX];
    if (!file_exists(backup))
        return pal_fail(err, PAL_ENOTFOUND, "there is no backup at %s", backup);
    enum pal_status st = beside(wal, backup, "-wal", err);
    if (st == PAL_OK && file_size(wal) > 0)
        return pal_fail(err, PAL_EUSAGE,
                        "%s is not whole without %s: use a file that `palate backup` wrote", backup,
                        wal);
    if (st == PAL_OK)
        st = conn_open(backup, SQLITE_OPEN_READONLY, &c, err);
    if (st == PAL_OK) {
        st = check_pages(c, err);
        conn_close(c);
    }
    if (st == PAL_ECORRUPT)
        st = pal_fail(err, st,
                      "%s is damaged or not what `palate backup` wrote: use another backup; the "
                      "store is as it was",
                      backup);
    return st;
}

/* The backup as a file beside the store. It may be an older schema; opening it will migrate it. */
static enum pal_status copy_file(const char *from, const char *to, struct pal_error *err)
{
    struct file_map map;
    enum pal_status st = file_map(from, &map, err);
    if (st != PAL_OK)
        return st;
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        st = fail_errno(err, "write", to);
    for (size_t done = 0; st == PAL_OK && done < map.size;) {
        size_t n = map.size - done < COPY_BYTES ? map.size - done : COPY_BYTES;
        ssize_t written = write(fd, map.data + done, n);
        if (written < 0 && errno != EINTR)
            st = fail_errno(err, "write", to);
        else if (written > 0)
            done += (size_t)written;
    }
    if (st == PAL_OK && fsync(fd))
        st = fail_errno(err, "sync", to);
    if (fd >= 0)
        close(fd);
    file_unmap(&map);
    return st;
}

/* Brings what is in the old store's log into its file, if it is whole enough for that; else the log
 * goes with it, as its name then says. */
static enum pal_status put_aside(const char *path, struct pal_error *err)
{
    char old[PATH_MAX], wal[PATH_MAX], old_wal[PATH_MAX], shm[PATH_MAX];
    struct conn *c;
    if (conn_open(path, SQLITE_OPEN_READWRITE, &c, NULL) == PAL_OK) {
        sqlite3_wal_checkpoint_v2(c->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        conn_close(c);
    }
    enum pal_status st = beside(old, path, ".before-restore", err);
    if (st == PAL_OK)
        st = beside(wal, path, "-wal", err);
    if (st == PAL_OK)
        st = beside(old_wal, old, "-wal", err);
    if (st == PAL_OK)
        st = beside(shm, path, "-shm", err);
    if (st != PAL_OK)
        return st;
    unlink(old_wal);
    if (rename(path, old))
        return fail_errno(err, "rename", path);
    if (rename(wal, old_wal) && errno != ENOENT)
        return fail_errno(err, "rename",
                          wal); /* with the new file it would be read as part of it */
    unlink(shm);
    return PAL_OK;
}

enum pal_status sqlite_restore(const char *place, const char *backup, struct pal_error *err)
{
    char path[PATH_MAX], lock[PATH_MAX], temp[PATH_MAX], other[PATH_MAX];
    int fd = -1;
    if (strncmp(place, "//", 2) == 0)
        place += 2;
    if (!realpath(place, path)) {
        enum pal_status st = beside(path, place, "", err);
        if (st != PAL_OK)
            return st;
    }
    if (realpath(backup, other) && strcmp(other, path) == 0)
        return pal_fail(err, PAL_EUSAGE, "%s is the store itself: name a backup of it", backup);
    enum pal_status st = beside(lock, path, ".lock", err);
    if (st == PAL_OK)
        st = beside(temp, path, ".tmp", err);
    if (st == PAL_OK)
        st = check_backup(backup, err);
    if (st == PAL_OK)
        st = lock_take(lock, path, &fd, err);
    if (st != PAL_OK)
        return st;
    st = copy_file(backup, temp, err);
    if (st == PAL_OK && file_exists(path))
        st = put_aside(path, err);
    if (st == PAL_OK && rename(temp, path))
        st = fail_errno(err, "write", path);
    if (st == PAL_OK)
        st = sync_folder_of(path, err);
    if (st != PAL_OK)
        unlink(temp);
    close(fd);
    return st;
}

void store_remove_file(const char *path)
{
    static const char *const endings[] = {"", "-wal", "-shm", ".lock", ".tmp"};
    char name[PATH_MAX];
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (beside(name, path, endings[i], NULL) == PAL_OK)
            unlink(name);
}
