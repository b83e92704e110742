/* The runs that ended, as JSON lines in the registry's folder. Writers of any number of processes
 * hold a lock while they append; a line that a full disk cut off is taken back, or, after a crash,
 * closed by the next writer and passed over by readers. */
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "track/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const char file_name[] = "runs.jsonl", older_name[] = "runs.1.jsonl";
enum { FILE_MOST = 8 << 20, OPENS_MOST = 100 };

static enum pal_status fail_io(const char *path, struct pal_error *err)
{
    return pal_fail(err, PAL_EIO, "cannot write to %s: %s", path, strerror(errno));
}

/* Opens the file and locks it; once more if it was turned over in between. */
static enum pal_status open_locked(const char *path, int *out, struct pal_error *err)
{
    for (int i = 0; i < OPENS_MOST; i++) {
        struct stat open_one, named;
        int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (fd < 0)
            return fail_io(path, err);
        if (flock(fd, LOCK_EX) == 0 && fstat(fd, &open_one) == 0 && stat(path, &named) == 0 &&
            open_one.st_ino == named.st_ino) {
            *out = fd;
            return PAL_OK;
        }
        close(fd);
    }
    return pal_fail(err, PAL_EIO, "cannot write to %s: it is replaced all the time", path);
}

static bool ends_in_newline(int fd, off_t size)
{
    char last;
    return size == 0 || (pread(fd, &last, 1, size - 1) == 1 && last == '\n');
}

static enum pal_status append(int fd, const char *path, off_t size, const char *line,
                              struct pal_error *err)
{
    struct str text = {0};
    if (!ends_in_newline(fd, size))
        str_char(&text, '\n');
    str_put(&text, line);
    str_char(&text, '\n');
    enum pal_status st = str_ok(&text) ? PAL_OK : pal_no_memory(err);
    ssize_t n = st ? 0 : write(fd, str_text(&text), text.len);
    if (!st && (n < 0 || (size_t)n < text.len)) {
        st = fail_io(path, err);
        int cut = ftruncate(fd, size);
        (void)cut; /* else a reader passes over it */
    }
    str_done(&text);
    return st;
}

enum pal_status runs_add(const char *root, const char *line, struct pal_error *err)
{
    char path[PATH_MAX], older[PATH_MAX];
    struct stat info;
    int fd = -1;
    enum pal_status st = file_join(path, sizeof path, root, file_name, err);
    if (!st)
        st = file_join(older, sizeof older, root, older_name, err);
    if (!st)
        st = file_make_dir(root, err);
    if (!st)
        st = open_locked(path, &fd, err);
    if (!st && fstat(fd, &info))
        st = fail_io(path, err);
    if (!st && info.st_size && info.st_size + (off_t)strlen(line) > FILE_MOST) {
        if (rename(path, older))
            st = fail_io(older, err);
        close(fd);
        fd = -1;
        info.st_size = 0;
        if (!st)
            st = open_locked(path, &fd, err);
        if (!st && fstat(fd, &info))
            st = fail_io(path, err);
    }
    if (!st)
        st = append(fd, path, info.st_size, line, err);
    if (fd >= 0)
        close(fd);
    return st;
}

/* From the last line to the first. */
static void walk(const struct file_map *text, size_t most, track_line_fn *fn, void *ctx,
                 size_t *count)
{
    size_t end = text->size;
    while (end && *count < most) {
        const char *newline = end > 1 ? memrchr(text->data, '\n', end - 1) : NULL;
        size_t begin = newline ? (size_t)(newline - text->data) + 1 : 0;
        const char *line = text->data + begin;
        size_t len = end - begin - (text->data[end - 1] == '\n');
        json_t *all = json_loadb(line, len, 0, NULL);
        if (json_is_object(all) && json_is_string(json_object_get(all, "run"))) {
            fn(ctx, line, len);
            ++*count;
        }
        json_decref(all);
        end = begin;
    }
}

enum pal_status track_list(const char *root, size_t most, track_line_fn *fn, void *ctx,
                           size_t *count, struct pal_error *err)
{
    static const char *const names[] = {file_name, older_name};
    *count = 0;
    for (size_t i = 0; i < 2; i++) {
        char path[PATH_MAX];
        struct file_map text;
        enum pal_status st = file_join(path, sizeof path, root, names[i], err);
        if (!st)
            st = file_map(path, &text, err);
        if (st == PAL_ENOTFOUND)
            continue;
        if (st)
            return st;
        walk(&text, most, fn, ctx, count);
        file_unmap(&text);
    }
    return PAL_OK;
}
