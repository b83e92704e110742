/* CURRENT: which version is live, in the bucket and as far as this machine knows. */
#include "registry/s3_inside.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

enum { RACES = 20 };

void s3_sum(const struct str *listing, char sum[S3_SUM + 1])
{
    char hash[S3_HASH];
    s3_hash(str_text(listing), listing->len, hash);
    memcpy(sum, hash, S3_SUM);
    sum[S3_SUM] = 0;
}

/* "000007 0123456789abcdef\n" */
static bool read_current(const char *p, size_t size, struct s3_current *out)
{
    const char *end = p + size;
    if (end > p && end[-1] == '\n')
        end--;
    const char *space = memchr(p, ' ', (size_t)(end - p));
    out->number = registry_number(p, space ? space : end);
    out->sum[0] = 0;
    if (!space)
        return out->number > 0;
    if (end - space != S3_SUM + 1)
        return false;
    memcpy(out->sum, space + 1, S3_SUM);
    out->sum[S3_SUM] = 0;
    return out->number > 0 && strspn(out->sum, "0123456789abcdef") == S3_SUM;
}

/* ---- what this machine knows: LOCAL/CURRENT is CURRENT's line and then its ETag ---- */

bool s3_known(const struct s3 *s, struct s3_current *out)
{
    char path[PATH_MAX];
    struct file_map map;
    struct pal_error ignored;
    bool fine = false;
    if (file_join(path, sizeof path, s->local, REGISTRY_CURRENT, &ignored) != PAL_OK ||
        file_map(path, &map, &ignored) != PAL_OK)
        return false;
    const char *line = memchr(map.data, '\n', map.size);
    size_t rest = line ? map.size - (size_t)(line + 1 - map.data) : 0;
    if (rest > 0 && rest < sizeof out->etag && !memchr(line + 1, '\n', rest)) {
        memcpy(out->etag, line + 1, rest);
        out->etag[rest] = 0;
        out->there = fine = read_current(map.data, (size_t)(line - map.data), out);
    }
    file_unmap(&map);
    return fine;
}

/* That it is known is a help and no more. */
void s3_remember(const struct s3 *s, const struct s3_current *c)
{
    char path[PATH_MAX], text[300];
    struct file_out *f = NULL;
    struct pal_error ignored;
    int len =
        snprintf(text, sizeof text, "%06u%s%s\n%s", c->number, *c->sum ? " " : "", c->sum, c->etag);
    if (!*c->etag || file_join(path, sizeof path, s->local, REGISTRY_CURRENT, &ignored) != PAL_OK ||
        file_create(path, &f, &ignored) != PAL_OK)
        return;
    if (file_write(f, text, (size_t)len, &ignored) != PAL_OK)
        file_abandon(f);
    else if (file_commit(f, &ignored) != PAL_OK)
        return;
}

/* ---- asking ---- */

/* known: what this machine knows, or NULL to read anew. there = false: none is live. */
enum pal_status s3_ask(struct s3 *s, const struct s3_current *known, struct s3_current *out,
                       struct pal_error *err)
{
    struct s3_text t;
    memset(out, 0, sizeof *out);
    enum pal_status st = s3_text(s, REGISTRY_CURRENT, known ? known->etag : NULL, &t, err);
    if (st != PAL_OK)
        return st;
    if (t.same) {
        *out = *known;
    } else {
        out->there = t.there;
        snprintf(out->etag, sizeof out->etag, "%s", t.etag);
        if (t.there && !read_current(str_text(&t.text), t.text.len, out))
            st = pal_fail(err, PAL_ECORRUPT,
                          "%s/" REGISTRY_CURRENT " is damaged: it should hold one version's "
                          "number; activate a version to write it anew",
                          s->name);
    }
    str_done(&t.text);
    return st;
}

/* ---- switching ---- */

/* One try to replace what CURRENT was when it was read. *done = false: somebody was faster. */
static enum pal_status try_switch(struct s3 *s, const struct s3_current *was,
                                  const struct s3_current *to, bool *done, struct pal_error *err)
{
    char text[64];
    int len = snprintf(text, sizeof text, "%06u %s\n", to->number, to->sum);
    struct s3_call c = {.method = "PUT",
                        .key = REGISTRY_CURRENT,
                        .if_match = was->there ? was->etag : NULL,
                        .if_none_match = was->there ? NULL : "*",
                        .body = text,
                        .body_size = (size_t)len};
    enum pal_status st = s3_do(s, &c, err);
    *done = c.status >= 200 && c.status < 300;
    if (st == PAL_OK && *done) {
        struct s3_current now = *to;
        snprintf(now.etag, sizeof now.etag, "%s", c.etag);
        s3_remember(s, &now);
    }
    str_done(&c.answer);
    return st;
}

static enum pal_status exists(struct s3 *s, uint32_t number, bool *there, struct pal_error *err)
{
    char key[64];
    struct s3_text t;
    snprintf(key, sizeof key, "%06u/" REGISTRY_MANIFEST, number);
    enum pal_status st = s3_text(s, key, NULL, &t, err);
    if (st != PAL_OK)
        return st;
    *there = t.there;
    str_done(&t.text);
    return PAL_OK;
}

/* Makes a version live; forced: even where a higher number is. */
enum pal_status s3_switch(struct s3 *s, uint32_t number, const struct str *listing, bool forced,
                          struct pal_error *err)
{
    struct s3_current was, to = {.number = number};
    struct pal_error why = {0};
    bool done = false;
    s3_sum(listing, to.sum);
    for (int i = 0; i < RACES; i++) {
        enum pal_status st = s3_ask(s, NULL, &was, &why);
        if (st == PAL_ECORRUPT) { /* to be written anew, whatever it held */
            was.number = 0;
            st = PAL_OK;
        }
        if (st != PAL_OK) {
            if (err)
                *err = why;
            return st;
        }
        if (was.number == number && strcmp(was.sum, to.sum) == 0)
            return PAL_OK;
        bool stays = false;
        st = !forced && was.number > number ? exists(s, was.number, &stays, err) : PAL_OK;
        if (st == PAL_OK && !stays)
            st = try_switch(s, &was, &to, &done, err);
        if (st != PAL_OK || stays || done)
            return st;
    }
    return pal_fail(err, PAL_EIO,
                    "version %u in %s is published but not live: others kept changing CURRENT; "
                    "activate it",
                    number, s->name);
}
