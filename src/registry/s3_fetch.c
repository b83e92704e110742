/* Versions on their way down, and the folder of copies.
 *
 * LOCAL/000007/ is a copy of a version: it was put there by one rename after every file had been
 * compared with its SHA-256, and holds the files.json that it was compared with. Who downloads
 * holds the lock LOCAL/.get meanwhile: others on this machine wait and then find what they want.
 * Whatever is called 000007.get without that lock is a leftover. */
#include "registry/s3_inside.h"

#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GET  ".get"
#define GONE ".gone"

enum {
    GET_TRIES = 50 * 900, /* of 20 ms: a quarter of an hour for another's download */
    COPIES = 3,           /* versions that are kept */
};

/* ---- small objects ---- */

enum pal_status s3_text(struct s3 *s, const char *key, const char *if_none_match,
                        struct s3_text *out, struct pal_error *err)
{
    struct s3_call c = {.method = "GET", .key = key, .if_none_match = if_none_match};
    enum pal_status st = s3_do(s, &c, err);
    memset(out, 0, sizeof *out);
    if (st == PAL_OK && c.status != 304 && c.status != 404 && c.status != 200)
        st = s3_refused(s, &c, "read from", err);
    if (st == PAL_OK && c.status == 200 && c.answer.len > S3_LISTING_MOST)
        st = pal_fail(err, PAL_ECORRUPT, "%s/%s is longer than it can be", s->name, key);
    if (st == PAL_OK) {
        out->there = c.status != 404;
        out->same = c.status == 304;
        memcpy(out->etag, c.etag, sizeof out->etag);
    }
    if (st == PAL_OK && c.status == 200) {
        out->text = c.answer;
        c.answer = (struct str){0};
    }
    str_done(&c.answer);
    return st;
}

/* ---- one file ---- */

struct sink {
    struct file_out *out;
    gnutls_hash_hd_t hash;
    uint64_t size, most;
};

static enum pal_status sink(void *ctx, const char *data, size_t size, struct pal_error *err)
{
    struct sink *k = ctx;
    k->size += size;
    if (k->size > k->most)
        return pal_fail(err, PAL_ECORRUPT, "it is longer than it should be");
    if (gnutls_hash(k->hash, data, size))
        return pal_fail(err, PAL_EIO, "a checksum could not be computed");
    return file_write(k->out, data, size, err);
}

static enum pal_status compare(const struct s3 *s, const struct s3_file *file, struct sink *k,
                               struct pal_error *err)
{
    unsigned char digest[32];
    char hash[S3_HASH];
    gnutls_hash_output(k->hash, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(hash + 2 * i, 3, "%02x", digest[i]);
    if (k->size == file->size && strcmp(hash, file->hash) == 0)
        return PAL_OK;
    return pal_fail(err, PAL_ECORRUPT,
                    "%s of %s is damaged: what came has not the sum it was published with; "
                    "activate another version, or publish anew",
                    file->name, s->name);
}

static enum pal_status bring_file(struct s3 *s, uint32_t number, const struct s3_file *file,
                                  const char *folder, struct pal_error *err)
{
    char key[S3_NAME_MOST + 16], path[PATH_MAX];
    struct sink k = {.most = file->size};
    snprintf(key, sizeof key, "%06u/%s", number, file->name);
    if (gnutls_hash_init(&k.hash, GNUTLS_DIG_SHA256))
        return pal_no_memory(err);
    struct s3_call c = {.method = "GET", .key = key, .take = sink, .ctx = &k};
    enum pal_status st = file_join(path, sizeof path, folder, file->name, err);
    if (st == PAL_OK)
        st = file_create(path, &k.out, err);
    if (st == PAL_OK)
        st = s3_do(s, &c, err);
    if (st == PAL_OK && c.status == 404)
        st = pal_fail(err, PAL_ECORRUPT,
                      "%s of version %u in %s is gone: activate another version, or publish anew",
                      file->name, number, s->name);
    else if (st == PAL_OK && c.status != 200)
        st = s3_refused(s, &c, "read from", err);
    else if (st == PAL_ECORRUPT)
        st = pal_within(err, st, "%s of version %u in %s is damaged", file->name, number, s->name);
    if (st == PAL_OK)
        st = compare(s, file, &k, err);
    if (st == PAL_OK) {
        st = file_commit(k.out, err);
        k.out = NULL;
    }
    file_abandon(k.out);
    gnutls_hash_deinit(k.hash, NULL);
    str_done(&c.answer);
    return st;
}

/* ---- a version ---- */

enum pal_status s3_write_text(const char *folder, const char *name, const struct str *text,
                              struct pal_error *err)
{
    char path[PATH_MAX];
    struct file_out *f = NULL;
    enum pal_status st = file_join(path, sizeof path, folder, name, err);
    if (st == PAL_OK)
        st = file_create(path, &f, err);
    if (st == PAL_OK)
        st = file_write(f, str_text(text), text->len, err);
    if (st != PAL_OK) {
        file_abandon(f);
        return st;
    }
    return file_commit(f, err);
}

bool s3_has(const struct s3 *s, uint32_t number, const struct str *listing, char path[PATH_MAX])
{
    char inner[PATH_MAX];
    struct file_map map;
    struct pal_error ignored;
    struct s3_files *f = NULL;
    if (folder_version(path, s->local, number, "", &ignored) != PAL_OK ||
        file_join(inner, sizeof inner, path, S3_LISTING, &ignored) != PAL_OK ||
        file_map(inner, &map, &ignored) != PAL_OK)
        return false;
    bool same = !listing ||
                (map.size == listing->len && memcmp(map.data, str_text(listing), map.size) == 0);
    same = same && s3_files_read(inner, map.data, map.size, &f, &ignored) == PAL_OK;
    for (size_t i = 0; same && i < f->count; i++)
        same = file_join(inner, sizeof inner, path, f->file[i].name, &ignored) == PAL_OK &&
               file_size(inner) == (int64_t)f->file[i].size;
    mem_free(f);
    file_unmap(&map);
    return same;
}

/* A folder gives way: whoever has its files open keeps them. */
static void make_way(const struct s3 *s, uint32_t number)
{
    char path[PATH_MAX], gone[PATH_MAX];
    struct pal_error ignored;
    if (folder_version(path, s->local, number, "", &ignored) == PAL_OK &&
        folder_version(gone, s->local, number, GONE, &ignored) == PAL_OK) {
        folder_drop(gone);
        if (rename(path, gone) == 0)
            folder_drop(gone);
    }
}

struct copy {
    uint32_t number;
    struct timespec when;
};

static int newest_first(const void *a, const void *b)
{
    const struct timespec *x = &((const struct copy *)a)->when,
                          *y = &((const struct copy *)b)->when;
    if (x->tv_sec != y->tv_sec)
        return x->tv_sec > y->tv_sec ? -1 : 1;
    return x->tv_nsec > y->tv_nsec ? -1 : x->tv_nsec < y->tv_nsec;
}

/* Removes leftovers, and copies beyond the newest few. Under the lock. */
static void tidy(const struct s3 *s)
{
    enum { MOST = 256 };
    struct copy copies[MOST];
    size_t n = 0;
    char path[PATH_MAX];
    struct stat info;
    struct pal_error ignored;
    DIR *dir = opendir(s->local);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        uint32_t number = folder_number(e->d_name, "");
        if (file_join(path, sizeof path, s->local, e->d_name, &ignored) != PAL_OK)
            continue;
        if (folder_number(e->d_name, GET) || folder_number(e->d_name, GONE))
            folder_drop(path);
        else if (number && n < MOST && stat(path, &info) == 0)
            copies[n++] = (struct copy){number, info.st_mtim};
    }
    if (dir)
        closedir(dir);
    if (n)
        qsort(copies, n, sizeof copies[0], newest_first);
    for (size_t i = COPIES; i < n; i++)
        make_way(s, copies[i].number);
}

static enum pal_status settle(const struct s3 *s, const char *from, uint32_t number,
                              char path[PATH_MAX], struct pal_error *err)
{
    enum pal_status st = folder_version(path, s->local, number, "", err);
    if (st != PAL_OK)
        return st;
    make_way(s, number);
    folder_sync(from);
    if (rename(from, path))
        return pal_fail(err, PAL_EIO, "cannot rename %s: %s", from, strerror(errno));
    folder_sync(s->local);
    return PAL_OK;
}

static enum pal_status download(struct s3 *s, uint32_t number, const struct str *listing,
                                const struct s3_files *f, char path[PATH_MAX],
                                struct pal_error *err)
{
    char folder[PATH_MAX];
    enum pal_status st = folder_version(folder, s->local, number, GET, err);
    if (st != PAL_OK)
        return st;
    folder_drop(folder);
    st = file_make_dir(folder, err);
    for (size_t i = 0; i < f->count && st == PAL_OK; i++)
        st = bring_file(s, number, &f->file[i], folder, err);
    if (st == PAL_OK)
        st = s3_write_text(folder, S3_LISTING, listing, err);
    if (st == PAL_OK)
        st = settle(s, folder, number, path, err);
    if (st != PAL_OK)
        folder_drop(folder);
    return st;
}

static enum pal_status lock_copies(const struct s3 *s, int *lock, struct pal_error *err)
{
    char path[PATH_MAX];
    enum pal_status st = file_join(path, sizeof path, s->local, GET, err);
    if (st == PAL_OK)
        st = folder_lock(path, GET_TRIES, lock, err);
    if (st == PAL_OK && *lock < 0)
        st = pal_fail(err, PAL_EIO, "another process is still downloading to %s", s->local);
    return st;
}

enum pal_status s3_bring(struct s3 *s, uint32_t number, const struct str *listing,
                         char path[PATH_MAX], struct pal_error *err)
{
    char what[sizeof s->name + 32];
    struct s3_files *f = NULL;
    int lock;
    if (s3_has(s, number, listing, path))
        return PAL_OK;
    snprintf(what, sizeof what, "%s/%06u/" S3_LISTING, s->name, number);
    enum pal_status st = s3_files_read(what, str_text(listing), listing->len, &f, err);
    if (st == PAL_OK)
        st = lock_copies(s, &lock, err);
    if (st == PAL_OK) {
        if (!s3_has(s, number, listing, path))
            st = download(s, number, listing, f, path, err);
        if (st == PAL_OK)
            tidy(s);
        close(lock);
    }
    mem_free(f);
    return st;
}

enum pal_status s3_keep(struct s3 *s, struct registry_version *v, struct pal_error *err)
{
    char path[PATH_MAX], own[PATH_MAX];
    int lock;
    enum pal_status st = lock_copies(s, &lock, err);
    if (st != PAL_OK)
        return st;
    st = file_join(own, sizeof own, v->path, ".lock", err);
    if (st == PAL_OK)
        st = settle(s, v->path, v->number, path, err);
    if (st == PAL_OK) {
        close(v->lock);
        v->lock = -1;
        memcpy(v->path, path, sizeof v->path);
        if (file_join(own, sizeof own, path, ".lock", err) == PAL_OK)
            unlink(own);
        tidy(s);
    }
    close(lock);
    return st;
}
