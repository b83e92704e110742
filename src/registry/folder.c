/* Versions in a folder: registry.h shows it. Whoever changes the folder (begin, publish, activate)
 * holds flock on ROOT/.lock for that moment; readers need no lock, since every change that they can
 * see is one rename. While a version is being built, its builder holds flock on its own ".lock":
 * the kernel drops that with the process, however it dies, so a ".new" folder whose lock is free
 * belongs to nobody. */
#include "registry/backend.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK        ".lock"
#define CURRENT     REGISTRY_CURRENT
#define MANIFEST    REGISTRY_MANIFEST
#define UNPUBLISHED ".new"

enum {
    LOCK_TRIES = 500, /* of 20 ms: ten seconds for work that takes a few */
};

static enum pal_status fail_errno(struct pal_error *err, const char *what, const char *path)
{
    int e = errno;
    return pal_fail(err, e == ENOMEM ? PAL_ENOMEM : PAL_EIO, "cannot %s %s: %s", what, path,
                    strerror(e));
}

/* ROOT/000007SUFFIX */
enum pal_status folder_version(char path[PATH_MAX], const char *root, uint32_t number,
                               const char *suffix, struct pal_error *err)
{
    char name[32];
    snprintf(name, sizeof name, "%06u%s", number, suffix);
    return file_join(path, PATH_MAX, root, name, err);
}

/* Whether the folder `dir` holds a file of that name. */
bool folder_holds(const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct pal_error ignored;
    return file_join(path, sizeof path, dir, name, &ignored) == PAL_OK && file_exists(path);
}

/* The version that a folder's name stands for: exactly its number as version_path writes it and
 * then the suffix; or 0. */
uint32_t folder_number(const char *name, const char *suffix)
{
    size_t digits = strspn(name, "0123456789");
    char again[32];
    uint64_t number;
    if (!text_u64(name, name + digits, &number) || number >= UINT32_MAX)
        return 0;
    snprintf(again, sizeof again, "%06u%s", (unsigned)number, suffix);
    return strcmp(name, again) == 0 ? (uint32_t)number : 0;
}

/* An open file with an exclusive lock on it, made if need be. tries = 1: don't wait. *fd = -1 when
 * somebody else holds it. */
enum pal_status folder_lock(const char *path, int tries, int *fd, struct pal_error *err)
{
    int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (f < 0)
        return fail_errno(err, "write", path);
    for (int i = 0; i < tries; i++) {
        if (flock(f, LOCK_EX | LOCK_NB) == 0) {
            *fd = f;
            return PAL_OK;
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
            enum pal_status st = fail_errno(err, "lock", path);
            close(f);
            return st;
        }
        if (i + 1 < tries)
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    }
    close(f);
    *fd = -1;
    return PAL_OK;
}

static enum pal_status lock_root(const char *root, int *fd, struct pal_error *err)
{
    char path[PATH_MAX];
    enum pal_status st = file_join(path, sizeof path, root, LOCK, err);
    if (st == PAL_OK)
        st = folder_lock(path, LOCK_TRIES, fd, err);
    if (st == PAL_OK && *fd < 0)
        st = pal_fail(err, PAL_EIO, "another process has kept %s locked for ten seconds", root);
    return st;
}

void folder_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd); /* as durable as the file system makes it */
        close(fd);
    }
}

/* Removes a version's folder, which holds files only. */
void folder_drop(const char *path)
{
    DIR *dir = opendir(path);
    if (!dir)
        return;
    for (struct dirent *e; (e = readdir(dir));)
        unlinkat(dirfd(dir), e->d_name, 0); /* "." and ".." refuse */
    closedir(dir);
    rmdir(path);
}

/* Removes an unpublished folder if its builder is gone. Called with the root locked, so it can't
 * be one that is just being made. */
static void sweep(const char *root, const char *name)
{
    char path[PATH_MAX], lock[PATH_MAX];
    struct pal_error ignored;
    int fd = -1;
    if (file_join(path, sizeof path, root, name, &ignored) != PAL_OK ||
        file_join(lock, sizeof lock, path, LOCK, &ignored) != PAL_OK ||
        folder_lock(lock, 1, &fd, &ignored) != PAL_OK || fd < 0)
        return;
    folder_drop(path);
    close(fd);
}

/* The highest number in use, published or not; sweeps on the way. */
static enum pal_status highest(const char *root, uint32_t *out, struct pal_error *err)
{
    DIR *dir = opendir(root);
    if (!dir)
        return fail_errno(err, "read", root);
    uint32_t most = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        uint32_t unpublished = folder_number(e->d_name, UNPUBLISHED);
        uint32_t number = unpublished ? unpublished : folder_number(e->d_name, "");
        if (unpublished)
            sweep(root, e->d_name);
        if (number > most)
            most = number;
    }
    closedir(dir);
    *out = most;
    return PAL_OK;
}

enum pal_status folder_make(const char *root, uint32_t number, struct registry_version *out,
                            struct pal_error *err)
{
    struct registry_version v = {.number = number};
    char lock[PATH_MAX];
    enum pal_status st = folder_version(v.path, root, number, UNPUBLISHED, err);
    if (st != PAL_OK)
        return st;
    if (mkdir(v.path, 0777))
        return fail_errno(err, "make folder", v.path);
    st = file_join(lock, sizeof lock, v.path, LOCK, err);
    if (st == PAL_OK)
        st = folder_lock(lock, 1, &v.lock, err);
    if (st == PAL_OK && v.lock < 0)
        st = pal_fail(err, PAL_EIO, "cannot lock %s: another process holds it", lock);
    if (st != PAL_OK) {
        folder_drop(v.path);
        return st;
    }
    *out = v;
    return PAL_OK;
}

static enum pal_status folder_begin(const char *root, struct registry_version *out,
                                    struct pal_error *err)
{
    int lock;
    uint32_t most = 0;
    enum pal_status st = file_make_dir(root, err);
    if (st == PAL_OK)
        st = lock_root(root, &lock, err);
    if (st != PAL_OK)
        return st;
    st = highest(root, &most, err);
    if (st == PAL_OK)
        st = folder_make(root, most + 1, out, err);
    close(lock);
    return st;
}

static enum pal_status write_current(const char *root, uint32_t number, struct pal_error *err)
{
    char path[PATH_MAX], text[32];
    int len = snprintf(text, sizeof text, "%06u\n", number);
    enum pal_status st = file_join(path, sizeof path, root, CURRENT, err);
    return st == PAL_OK ? file_put(path, text, (size_t)len, err) : st;
}

static enum pal_status folder_publish(const char *root, struct registry_version *v, int activate,
                                      struct pal_error *err)
{
    char path[PATH_MAX], lock_path[PATH_MAX];
    int lock;
    enum pal_status st = registry_check_whole(v, err);
    if (st == PAL_OK)
        st = folder_version(path, root, v->number, "", err);
    if (st == PAL_OK)
        st = file_join(lock_path, sizeof lock_path, path, LOCK, err);
    if (st == PAL_OK)
        st = lock_root(root, &lock, err);
    if (st != PAL_OK)
        return st;
    folder_sync(v->path);
    if (rename(v->path, path)) {
        st = fail_errno(err, "publish as", path);
    } else {
        unlink(lock_path);
        close(v->lock);
        v->lock = -1;
        memcpy(v->path, path, sizeof path);
        folder_sync(root);
        if (activate)
            st = write_current(root, v->number, err);
    }
    close(lock);
    return st;
}

void folder_abandon(const char *root, struct registry_version *v)
{
    size_t len = strlen(v->path), suffix = strlen(UNPUBLISHED);
    if (v->number && len > suffix && strcmp(v->path + len - suffix, UNPUBLISHED) == 0) {
        folder_drop(v->path);
        close(v->lock);
    }
    memset(v, 0, sizeof *v);
}

static enum pal_status folder_find(const char *root, uint32_t number, struct registry_version *out,
                                   struct pal_error *err)
{
    struct registry_version v = {.number = number, .lock = -1};
    enum pal_status st = folder_version(v.path, root, number, "", err);
    if (st != PAL_OK)
        return st;
    if (number == 0 || !folder_holds(v.path, MANIFEST))
        return registry_missing(root, number, err);
    *out = v;
    return PAL_OK;
}

static enum pal_status folder_current(const char *root, struct registry_version *out,
                                      struct pal_error *err)
{
    char path[PATH_MAX];
    struct file_map text;
    enum pal_status st = file_join(path, sizeof path, root, CURRENT, err);
    if (st != PAL_OK)
        return st;
    st = file_map(path, &text, err);
    if (st != PAL_OK)
        return st == PAL_ENOTFOUND ? registry_none_live(root, err) : st;
    const char *end = text.data + text.size;
    if (end > text.data && end[-1] == '\n')
        end--;
    uint32_t number = registry_number(text.data, end);
    file_unmap(&text);
    if (!number)
        return pal_fail(err, PAL_ECORRUPT,
                        "%s is damaged: it should hold one version's number; activate a version "
                        "to write it anew",
                        path);
    st = folder_find(root, number, out, err);
    if (st == PAL_ENOTFOUND)
        return pal_within(err, PAL_ECORRUPT, "%s names a version that is gone", path);
    return st;
}

static enum pal_status folder_activate(const char *root, uint32_t number, struct pal_error *err)
{
    struct registry_version v;
    int lock;
    enum pal_status st = folder_find(root, number, &v, err);
    if (st == PAL_OK)
        st = lock_root(root, &lock, err);
    if (st != PAL_OK)
        return st;
    st = write_current(root, number, err);
    close(lock);
    return st;
}

/* It is given an unpublished one's name first: nobody sees a half, and what a crash leaves of it is
 * swept. */
static enum pal_status folder_remove(const char *root, uint32_t number, struct pal_error *err)
{
    struct registry_version v, current;
    char path[PATH_MAX];
    int lock;
    enum pal_status st = folder_find(root, number, &v, err);
    if (st == PAL_OK)
        st = folder_version(path, root, number, UNPUBLISHED, err);
    if (st == PAL_OK)
        st = lock_root(root, &lock, err);
    if (st != PAL_OK)
        return st;
    if (folder_current(root, &current, NULL) == PAL_OK && current.number == number)
        st = pal_fail(err, PAL_EUSAGE, "version %u in %s is live: activate another one first",
                      number, root);
    else if (rename(v.path, path))
        st = fail_errno(err, "delete", v.path);
    else
        folder_drop(path);
    close(lock);
    return st;
}

static enum pal_status folder_list(const char *root, struct registry_version **out, size_t *count,
                                   struct pal_error *err)
{
    struct registry_version *all = NULL;
    size_t n = 0, cap = 0;
    enum pal_status st = PAL_OK;
    DIR *dir = opendir(root);
    if (!dir && errno != ENOENT)
        return fail_errno(err, "read", root);
    for (struct dirent *e; dir && st == PAL_OK && (e = readdir(dir));) {
        struct registry_version v = {.number = folder_number(e->d_name, ""), .lock = -1};
        if (!v.number)
            continue;
        st = file_join(v.path, sizeof v.path, root, e->d_name, err);
        if (st != PAL_OK || !folder_holds(v.path, MANIFEST))
            continue;
        if (mem_grow(&all, &cap, n + 1, sizeof *all))
            st = pal_no_memory(err);
        else
            all[n++] = v;
    }
    if (dir)
        closedir(dir);
    if (st != PAL_OK) {
        mem_free(all);
        return st;
    }
    if (n)
        registry_sort(all, n);
    *out = all;
    *count = n;
    return PAL_OK;
}

enum pal_status folder_sweep(const char *root, struct pal_error *err)
{
    uint32_t ignored;
    int lock;
    enum pal_status st = file_make_dir(root, err);
    if (st == PAL_OK)
        st = lock_root(root, &lock, err);
    if (st != PAL_OK)
        return st;
    st = highest(root, &ignored, err);
    close(lock);
    return st;
}

static enum pal_status folder_itself(const char *root, char *out, size_t size,
                                     struct pal_error *err)
{
    size_t len = strlen(root);
    if (len >= size)
        return pal_fail(err, PAL_EUSAGE, "the path %.60s… is too long", root);
    memcpy(out, root, len + 1);
    return PAL_OK;
}

const struct registry_ops registry_folder = {
    .kind = {"", "FOLDER"},
    .begin = folder_begin,
    .publish = folder_publish,
    .abandon = folder_abandon,
    .current = folder_current,
    .last = folder_current,
    .find = folder_find,
    .activate = folder_activate,
    .remove = folder_remove,
    .list = folder_list,
    .folder = folder_itself,
};
