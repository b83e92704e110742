/* The journal's name (see journal.h): drawn once, in a file beside the segments. */
#include "journal/journal.h"

#include "base/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define IDENTITY "identity"

static enum pal_status draw(char out[JOURNAL_IDENTITY], struct pal_error *err)
{
    unsigned char bytes[(JOURNAL_IDENTITY - 1) / 2];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        return pal_fail(err, PAL_EIO, "no random numbers are to be had: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++) {
        out[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    out[JOURNAL_IDENTITY - 1] = 0;
    return PAL_OK;
}

static enum pal_status write_text(const char *path, const char *text, struct pal_error *err)
{
    struct file_out *f;
    enum pal_status st = file_create(path, &f, err);
    if (st != PAL_OK)
        return st;
    st = file_write(f, text, strlen(text), err);
    if (st == PAL_OK)
        return file_commit(f, err);
    file_abandon(f);
    return st;
}

/* Makes the file, unless somebody else is faster. */
static enum pal_status make(const char *path, struct pal_error *err)
{
    char fresh[PATH_MAX], text[JOURNAL_IDENTITY];
    int n = snprintf(fresh, sizeof fresh, "%s.%ld", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof fresh)
        return pal_fail(err, PAL_EUSAGE, "the path %s is too long", path);
    enum pal_status st = draw(text, err);
    if (st == PAL_OK)
        st = write_text(fresh, text, err);
    if (st != PAL_OK)
        return st;
    if (link(fresh, path) && errno != EEXIST)
        st = pal_fail(err, PAL_EIO, "cannot make %s: %s", path, strerror(errno));
    unlink(fresh);
    return st;
}

enum pal_status journal_identity(const char *dir, char out[JOURNAL_IDENTITY], struct pal_error *err)
{
    char path[PATH_MAX];
    struct file_map file;
    enum pal_status st = file_make_dir(dir, err);
    if (st == PAL_OK)
        st = file_join(path, sizeof path, dir, IDENTITY, err);
    if (st != PAL_OK)
        return st;
    if (!file_exists(path))
        st = make(path, err);
    if (st == PAL_OK)
        st = file_map(path, &file, err);
    if (st != PAL_OK)
        return st;
    if (file.size == JOURNAL_IDENTITY - 1) {
        memcpy(out, file.data, file.size);
        out[file.size] = 0;
    }
    if (file.size != JOURNAL_IDENTITY - 1 ||
        strspn(out, "0123456789abcdef") != JOURNAL_IDENTITY - 1)
        st = pal_fail(err, PAL_ECORRUPT,
                      "%s does not hold the journal's name (12 hex digits): put it back, or delete "
                      "it to have the journal named anew",
                      path);
    file_unmap(&file);
    return st;
}
