/* The objects that are there: ListObjectsV2, page by page. */
#include "registry/s3_inside.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

struct listing {
    struct s3_object *all;
    size_t count, cap;
    struct str token; /* of the next page */
    bool more;
};

/* Takes an object whose key is PREFIX + "000007/" + name. */
static enum pal_status add(struct listing *l, const char *prefix, const char *key, const char *etag,
                           struct pal_error *err)
{
    struct s3_object o = {.number = 0};
    char folder[16];
    size_t len = strlen(prefix);
    if (strncmp(key, prefix, len) != 0)
        return PAL_OK;
    key += len;
    const char *slash = strchr(key, '/');
    if (!slash || (size_t)(slash - key) >= sizeof folder)
        return PAL_OK;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - key), key);
    o.number = folder_number(folder, "");
    if (!o.number || !slash[1] || strchr(slash + 1, '/') || strlen(slash + 1) >= sizeof o.name)
        return PAL_OK;
    strcpy(o.name, slash + 1);
    snprintf(o.etag, sizeof o.etag, "%s", etag);
    if (mem_grow(&l->all, &l->cap, l->count + 1, sizeof *l->all))
        return pal_no_memory(err);
    l->all[l->count++] = o;
    return PAL_OK;
}

/* One page. */
static enum pal_status take_page(struct s3 *s, struct listing *l, const struct str *xml,
                                 struct pal_error *err)
{
    const char *p = str_text(xml), *end = p + xml->len, *from, *to, *q = p;
    struct str key = {0}, etag = {0}, more = {0};
    enum pal_status st = PAL_OK;
    str_clear(&l->token);
    bool fine = s3_xml_text(&q, end, "IsTruncated", &more);
    l->more = strcmp(str_text(&more), "true") == 0;
    q = p;
    if (l->more)
        fine = fine && s3_xml_text(&q, end, "NextContinuationToken", &l->token) && l->token.len;
    while (fine && st == PAL_OK && s3_xml_inside(&p, end, "Contents", &from, &to)) {
        const char *k = from, *e = from;
        str_clear(&key);
        str_clear(&etag);
        fine = s3_xml_text(&k, to, "Key", &key);
        s3_xml_text(&e, to, "ETag", &etag);
        if (fine && str_ok(&key) && str_ok(&etag))
            st = add(l, s->place.prefix, str_text(&key), str_text(&etag), err);
        else if (fine)
            st = pal_no_memory(err);
    }
    if (st == PAL_OK && !str_ok(&l->token))
        st = pal_no_memory(err);
    if (st == PAL_OK && !fine)
        st = pal_fail(err, PAL_EIO, "cannot list %s: the server's answer is not what S3 gives",
                      s->name);
    str_done(&key);
    str_done(&etag);
    str_done(&more);
    return st;
}

enum pal_status s3_list(struct s3 *s, struct s3_object **out, size_t *count, struct pal_error *err)
{
    struct listing l = {.more = true};
    struct str query = {0};
    struct s3_call c = {.method = "GET"};
    enum pal_status st = PAL_OK;
    while (l.more && st == PAL_OK) {
        str_clear(&query);
        if (l.token.len) {
            str_put(&query, "continuation-token=");
            fetch_escape(&query, str_text(&l.token), false);
            str_char(&query, '&');
        }
        str_put(&query, "list-type=2&max-keys=1000&prefix=");
        fetch_escape(&query, s->place.prefix, false);
        if (!str_ok(&query)) {
            st = pal_no_memory(err);
            break;
        }
        c.query = str_text(&query);
        st = s3_do(s, &c, err);
        if (st == PAL_OK)
            st = take_page(s, &l, &c.answer, err);
    }
    str_done(&query);
    str_done(&l.token);
    str_done(&c.answer);
    if (st != PAL_OK) {
        mem_free(l.all);
        return st;
    }
    *out = l.all;
    *count = l.count;
    return PAL_OK;
}

uint32_t s3_highest(const struct s3_object *all, size_t count)
{
    uint32_t most = 0;
    for (size_t i = 0; i < count; i++)
        if (all[i].number > most)
            most = all[i].number;
    return most;
}
