/* See file.h. A new file is written beside its place as NAME.tmp-PID-ADDRESS, which no two writers
 * share. Then it is synced, renamed, and its folder synced: a power cut leaves one of the two. What
 * a process that was killed left beside its place goes when the file is next written. */
#include "base/file.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1 << 18, LEFT_S = 600 };

struct file_out {
    int fd;
    bool failed; /* something is missing in it: it can't be committed any more */
    size_t used;
    char path[PATH_MAX], temp[PATH_MAX];
    char buffer[BUFFER];
};

static enum pal_status fail_errno(struct pal_error *err, const char *what, const char *path)
{
    int e = errno;
    enum pal_status st = e == ENOENT ? PAL_ENOTFOUND : e == ENOMEM ? PAL_ENOMEM : PAL_EIO;
    return pal_fail(err, st, "cannot %s %s: %s", what, path, strerror(e));
}

enum pal_status file_map(const char *path, struct file_map *out, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    struct stat info;
    struct file_map m = {"", 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe must not make us wait */
    if (fd < 0)
        return fail_errno(err, "open", path);
    if (fstat(fd, &info)) {
        st = fail_errno(err, "read", path);
    } else if (S_ISDIR(info.st_mode)) {
        st = pal_fail(err, PAL_EIO, "cannot read %s: it is a folder, not a file", path);
    } else if (!S_ISREG(info.st_mode)) {
        st = pal_fail(err, PAL_EIO, "cannot read %s: it is no ordinary file; save it to one", path);
    } else if (info.st_size > 0) {
        void *p = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            st = fail_errno(err, "map", path);
        else
            m = (struct file_map){p, (size_t)info.st_size};
    }
    close(fd);
    if (st == PAL_OK)
        *out = m;
    return st;
}

void file_unmap(struct file_map *m)
{
    if (m->size)
        munmap((void *)(uintptr_t)m->data, m->size);
    *m = (struct file_map){"", 0};
}

/* A rename would put a file in the place of /dev/null or of a symbolic link, and fail on a folder
 * only at the end: what is no ordinary file is refused, a link followed. */
static enum pal_status find_place(const char *path, char place[PATH_MAX], struct pal_error *err)
{
    struct stat info;
    if (lstat(path, &info) || !S_ISLNK(info.st_mode) || !realpath(path, place))
        snprintf(place, PATH_MAX, "%s", path);
    if (stat(path, &info) || S_ISREG(info.st_mode))
        return PAL_OK;
    return pal_fail(err, PAL_EIO, "cannot write %s: it is %s; name an ordinary file", path,
                    S_ISDIR(info.st_mode) ? "a folder" : "a device or a pipe");
}

enum pal_status file_create(const char *path, struct file_out **out, struct pal_error *err)
{
    if (strlen(path) >= PATH_MAX)
        return pal_fail(err, PAL_EUSAGE, "the path %.60s… is too long", path);
    struct file_out *f = mem_alloc(1, sizeof *f);
    if (!f)
        return pal_no_memory(err);
    f->used = 0;
    f->failed = false;
    enum pal_status st = find_place(path, f->path, err);
    int n = snprintf(f->temp, sizeof f->temp, "%s.tmp-%ld-%p", f->path, (long)getpid(), (void *)f);
    if (!st && (n < 0 || (size_t)n >= sizeof f->temp))
        st = pal_fail(err, PAL_EUSAGE, "the path %.60s… is too long", path);
    if (!st) {
        f->fd = open(f->temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (f->fd < 0)
            st = fail_errno(err, "write", path);
    }
    if (st)
        mem_free(f);
    else
        *out = f;
    return st;
}

static enum pal_status write_all(struct file_out *f, const char *p, size_t size,
                                 struct pal_error *err)
{
    while (size) {
        ssize_t n = write(f->fd, p, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            f->failed = true;
            return fail_errno(err, "write", f->path);
        }
        p += n;
        size -= (size_t)n;
    }
    return PAL_OK;
}

enum pal_status file_write(struct file_out *f, const void *data, size_t size, struct pal_error *err)
{
    if (size > BUFFER - f->used) {
        enum pal_status st = write_all(f, f->buffer, f->used, err);
        f->used = 0;
        if (st != PAL_OK || size >= BUFFER)
            return st != PAL_OK ? st : write_all(f, data, size, err);
    }
    memcpy(f->buffer + f->used, data, size);
    f->used += size;
    return PAL_OK;
}

/* So that the rename itself survives a power cut. Some file systems refuse: then it is as durable
 * as they make it. */
static void sync_folder(const char *path)
{
    char dir[PATH_MAX];
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir] = 0;
    int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* Whether NAME.tmp-PID-… in the folder was left by a process that is no more. One of that number
 * may live in another container, so it must not have been written to for some time either. */
static bool is_left(int dir, const char *entry, const char *name)
{
    struct stat info;
    size_t len = strlen(name);
    if (strncmp(entry, name, len) != 0 || strncmp(entry + len, ".tmp-", 5) != 0)
        return false;
    char *end;
    long pid = strtol(entry + len + 5, &end, 10);
    return pid > 0 && *end == '-' && kill((pid_t)pid, 0) && errno == ESRCH &&
           fstatat(dir, entry, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode) &&
           time(NULL) - info.st_mtime > LEFT_S;
}

static void sweep(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    const char *name = slash ? path + (slash - folder) + 1 : path;
    if (slash)
        slash[slash == folder] = 0;
    DIR *dir = opendir(slash ? folder : ".");
    if (!dir)
        return;
    for (const struct dirent *e; (e = readdir(dir));)
        if (is_left(dirfd(dir), e->d_name, name))
            unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
}

enum pal_status file_commit(struct file_out *f, struct pal_error *err)
{
    enum pal_status st = f->failed
                             ? pal_fail(err, PAL_EIO, "cannot write %s: a write failed", f->path)
                             : write_all(f, f->buffer, f->used, err);
    if (st == PAL_OK && fsync(f->fd))
        st = fail_errno(err, "write", f->path);
    if (close(f->fd) && st == PAL_OK)
        st = fail_errno(err, "write", f->path);
    f->fd = -1;
    if (st == PAL_OK && rename(f->temp, f->path))
        st = fail_errno(err, "write", f->path);
    if (st == PAL_OK) {
        sweep(f->path);
        sync_folder(f->path);
    } else
        unlink(f->temp);
    mem_free(f);
    return st;
}

void file_abandon(struct file_out *f)
{
    if (!f)
        return;
    close(f->fd);
    unlink(f->temp);
    mem_free(f);
}

enum pal_status file_put(const char *path, const void *data, size_t size, struct pal_error *err)
{
    struct file_out *f = NULL;
    enum pal_status st = file_create(path, &f, err);
    if (st == PAL_OK)
        st = file_write(f, data, size, err);
    if (st == PAL_OK)
        return file_commit(f, err);
    file_abandon(f);
    return st;
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool file_is_dir(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

int64_t file_size(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (int64_t)info.st_size : -1;
}

enum pal_status file_make_dir(const char *path, struct pal_error *err)
{
    char copy[PATH_MAX];
    int n = snprintf(copy, sizeof copy, "%s", path);
    if (n < 0 || (size_t)n >= sizeof copy)
        return pal_fail(err, PAL_EUSAGE, "the path %.60s… is too long", path);
    if (n == 0)
        return pal_fail(err, PAL_EUSAGE, "the name of a folder is empty");
    for (char *p = copy + 1; *p; p++)
        if (*p == '/') {
            *p = 0;
            if (mkdir(copy, 0777) && errno != EEXIST)
                return fail_errno(err, "make folder", copy);
            *p = '/';
        }
    if (mkdir(copy, 0777) && errno != EEXIST)
        return fail_errno(err, "make folder", copy);
    if (!file_is_dir(copy))
        return pal_fail(err, PAL_EIO, "cannot make folder %s: a file of that name is there", copy);
    return PAL_OK;
}

enum pal_status file_join(char *buf, size_t size, const char *dir, const char *name,
                          struct pal_error *err)
{
    int n = snprintf(buf, size, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= size)
        return pal_fail(err, PAL_EUSAGE, "the path %.60s…/%s is too long", dir, name);
    return PAL_OK;
}
