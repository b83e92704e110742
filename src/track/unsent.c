/* What could not be sent, kept in files of the registry's folder `unsent`, one for each program
 * that ended with something left. A file is JSON lines: which server it is for, then the messages.
 * Whoever sends a file's messages holds a lock on it, so that two programs don't both. */
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "track/inside.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { FILES_MOST = 100, FORMAT = 1, HEADER_MOST = 4096 };

struct taken {
    int fd;
    char path[PATH_MAX];
};

struct unsent {
    size_t count;
    struct taken file[FILES_MOST];
};

static bool is_for(const char *line, size_t len, const char *url, const char *experiment)
{
    json_t *all = json_loadb(line, len, 0, NULL);
    const char *its_url = json_string_value(json_object_get(all, "url"));
    const char *its_experiment = json_string_value(json_object_get(all, "experiment"));
    bool same = json_integer_value(json_object_get(all, "palate_unsent")) == FORMAT && its_url &&
                its_experiment && strcmp(its_url, url) == 0 &&
                strcmp(its_experiment, experiment) == 0;
    json_decref(all);
    return same;
}

json_t *unsent_read(const char *text, size_t size, const char *url, const char *experiment)
{
    const char *end = text + size, *newline = memchr(text, '\n', size);
    if (!newline || newline - text > HEADER_MOST ||
        !is_for(text, (size_t)(newline - text), url, experiment))
        return NULL;
    json_t *messages = json_array();
    for (const char *p = newline + 1; (newline = memchr(p, '\n', (size_t)(end - p)));
         p = newline + 1) {
        json_t *message = json_loadb(p, (size_t)(newline - p), JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(message) || !json_is_string(json_object_get(message, "op")) ||
            json_array_size(messages) >= QUEUE_MOST) {
            json_decref(message);
            break;
        }
        json_array_append_new(messages, message);
    }
    return messages;
}

/* Adds the messages of one file; it stays open and locked. */
static void take_file(struct unsent *u, const char *path, const char *url, const char *experiment,
                      json_t *messages)
{
    struct file_map text;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    json_t *found = NULL;
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && file_map(path, &text, NULL) == PAL_OK) {
        found = unsent_read(text.data, text.size, url, experiment);
        file_unmap(&text);
    }
    if (!found || json_array_extend(messages, found)) {
        json_decref(found);
        close(fd);
        return;
    }
    json_decref(found);
    u->file[u->count].fd = fd;
    snprintf(u->file[u->count++].path, PATH_MAX, "%s", path);
}

struct unsent *unsent_take(const char *root, const char *url, const char *experiment,
                           json_t *messages)
{
    char folder[PATH_MAX], path[PATH_MAX];
    struct unsent *u = mem_zero(1, sizeof *u);
    DIR *dir =
        u && !file_join(folder, sizeof folder, root, "unsent", NULL) ? opendir(folder) : NULL;
    for (struct dirent *e; dir && u->count < FILES_MOST && (e = readdir(dir));) {
        size_t len = strlen(e->d_name);
        if (len > 6 && strcmp(e->d_name + len - 6, ".jsonl") == 0 &&
            !file_join(path, sizeof path, folder, e->d_name, NULL))
            take_file(u, path, url, experiment, messages);
    }
    if (dir)
        closedir(dir);
    return u;
}

static enum pal_status write_line(struct file_out *f, const json_t *value, struct pal_error *err)
{
    char *text = json_dumps(value, JSON_COMPACT);
    if (!text)
        return pal_no_memory(err);
    enum pal_status st = file_write(f, text, strlen(text), err);
    free(text);
    return st ? st : file_write(f, "\n", 1, err);
}

static enum pal_status write_file(const char *root, const char *url, const char *experiment,
                                  const json_t *messages, struct pal_error *err)
{
    char folder[PATH_MAX], name[64], path[PATH_MAX];
    struct file_out *f = NULL;
    json_t *message;
    size_t i;
    int64_t now = clock_wall_ms();
    enum pal_status st = file_join(folder, sizeof folder, root, "unsent", err);
    if (!st)
        st = file_make_dir(folder, err);
    do {
        snprintf(name, sizeof name, "%lld-%ld.jsonl", (long long)now++, (long)getpid());
        if (!st)
            st = file_join(path, sizeof path, folder, name, err);
    } while (!st && file_exists(path));
    if (!st)
        st = file_create(path, &f, err);
    if (st)
        return st;
    json_t *header =
        json_pack("{s:i, s:s, s:s}", "palate_unsent", FORMAT, "url", url, "experiment", experiment);
    st = write_line(f, header, err);
    json_decref(header);
    json_array_foreach((json_t *)(uintptr_t)messages, i, message)
    {
        if (!st)
            st = write_line(f, message, err);
    }
    if (!st)
        return file_commit(f, err);
    file_abandon(f);
    return st;
}

void unsent_leave(struct unsent *u)
{
    for (size_t i = 0; u && i < u->count; i++)
        close(u->file[i].fd);
    mem_free(u);
}

enum pal_status unsent_close(struct unsent *u, const char *root, const char *url,
                             const char *experiment, const json_t *messages, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    if (json_array_size(messages))
        st = write_file(root, url, experiment, messages, err);
    for (size_t i = 0; u && i < u->count && !st; i++)
        unlink(u->file[i].path);
    unsent_leave(u);
    return st;
}
