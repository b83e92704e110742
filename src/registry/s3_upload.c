/* A file's way up: in one request, or in parts where it is large, each with its SHA-256, which the
 * server compares. Parts are begun, sent and put together; what was begun in vain is given up, so
 * that nothing is left to be paid for. */
#include "registry/s3_inside.h"

#include "base/file.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

struct upload {
    struct s3 *s;
    const char *key;
    struct str id;   /* of the upload in parts, escaped */
    struct str list; /* the parts so far, as XML */
};

static enum pal_status expect_ok(struct s3 *s, const struct s3_call *c, struct pal_error *err)
{
    return c->status >= 200 && c->status < 300 ? PAL_OK : s3_refused(s, c, "write to", err);
}

static enum pal_status begin(struct upload *u, struct pal_error *err)
{
    struct s3_call c = {.method = "POST", .key = u->key, .query = "uploads=", .body = ""};
    struct str id = {0};
    enum pal_status st = s3_do(u->s, &c, err);
    if (st == PAL_OK)
        st = expect_ok(u->s, &c, err);
    const char *p = str_text(&c.answer);
    if (st == PAL_OK && (!s3_xml_text(&p, p + c.answer.len, "UploadId", &id) || !id.len))
        st = s3_refused(u->s, &c, "begin an upload to", err);
    fetch_escape(&u->id, str_text(&id), false);
    if (st == PAL_OK && !str_ok(&u->id))
        st = pal_no_memory(err);
    str_done(&id);
    str_done(&c.answer);
    return st;
}

static enum pal_status send_part(struct upload *u, size_t number, const char *data, size_t size,
                                 struct pal_error *err)
{
    struct str query = {0};
    str_fmt(&query, "partNumber=%zu&uploadId=%s", number, str_text(&u->id));
    if (!str_ok(&query)) {
        str_done(&query);
        return pal_no_memory(err);
    }
    struct s3_call c = {
        .method = "PUT", .key = u->key, .query = str_text(&query), .body = data, .body_size = size};
    enum pal_status st = s3_do(u->s, &c, err);
    if (st == PAL_OK)
        st = expect_ok(u->s, &c, err);
    if (st == PAL_OK && (!*c.etag || strpbrk(c.etag, "<>&")))
        st = s3_refused(u->s, &c, "upload a part to", err);
    str_fmt(&u->list, "<Part><PartNumber>%zu</PartNumber><ETag>%s</ETag></Part>", number, c.etag);
    str_done(&query);
    str_done(&c.answer);
    return st;
}

/* action: "POST" puts the parts together, "DELETE" gives them up. */
static enum pal_status end(struct upload *u, const char *action, struct pal_error *err)
{
    struct str query = {0}, body = {0};
    str_fmt(&query, "uploadId=%s", str_text(&u->id));
    str_fmt(&body, "<CompleteMultipartUpload>%s</CompleteMultipartUpload>", str_text(&u->list));
    bool post = strcmp(action, "POST") == 0;
    struct s3_call c = {.method = action,
                        .key = u->key,
                        .query = str_text(&query),
                        .body = post ? str_text(&body) : NULL,
                        .body_size = post ? body.len : 0};
    enum pal_status st =
        str_ok(&query) && str_ok(&body) ? s3_do(u->s, &c, err) : pal_no_memory(err);
    if (st == PAL_OK)
        st = expect_ok(u->s, &c, err);
    /* 200 comes before the work is done: a failure is told in the body */
    if (st == PAL_OK && post && memmem(str_text(&c.answer), c.answer.len, "<Error>", 7))
        st = s3_refused(u->s, &c, "put an upload together in", err);
    str_done(&query);
    str_done(&body);
    str_done(&c.answer);
    return st;
}

static enum pal_status in_parts(struct s3 *s, const char *key, const struct file_map *map,
                                struct pal_error *err)
{
    struct upload u = {.s = s, .key = key};
    size_t part = map->size / S3_PARTS_MOST + 1 > S3_PART ? map->size / S3_PARTS_MOST + 1 : S3_PART;
    enum pal_status st = begin(&u, err);
    for (size_t at = 0, n = 1; at < map->size && st == PAL_OK; at += part, n++)
        st = send_part(&u, n, map->data + at, map->size - at < part ? map->size - at : part, err);
    if (st == PAL_OK && !str_ok(&u.list))
        st = pal_no_memory(err);
    if (st == PAL_OK)
        st = end(&u, "POST", err);
    struct pal_error ignored;
    if (st != PAL_OK && u.id.len && end(&u, "DELETE", &ignored) != PAL_OK)
        st = pal_within(err, st, "an upload was broken off");
    str_done(&u.id);
    str_done(&u.list);
    return st;
}

enum pal_status s3_upload(struct s3 *s, const char *key, const char *path,
                          const struct s3_file *file, struct pal_error *err)
{
    struct file_map map;
    enum pal_status st = file_map(path, &map, err);
    if (st != PAL_OK)
        return st;
    if (map.size != file->size) {
        st = pal_fail(err, PAL_EIO, "%s changed while it was being published", path);
    } else if (map.size > S3_PART) {
        st = in_parts(s, key, &map, err);
    } else {
        struct s3_call c = {.method = "PUT",
                            .key = key,
                            .body = map.data,
                            .body_size = map.size,
                            .hash = file->hash};
        st = s3_do(s, &c, err);
        if (st == PAL_OK)
            st = expect_ok(s, &c, err);
        str_done(&c.answer);
    }
    file_unmap(&map);
    return st;
}
