/* What a handler sees of a request. */
#include "server/http_inner.h"

#include <string.h>

struct arena *http_arena(struct http_request *r)
{
    return &r->arena;
}

struct str http_spare(struct http_request *r)
{
    struct str spare = r->out;
    r->out = (struct str){0};
    str_clear(&spare);
    return spare;
}

void *http_context(struct http_request *r)
{
    return r->ctx;
}

const char *http_param(struct http_request *r, const char *name)
{
    const struct route_match *m = &r->call.match;
    for (size_t i = 0; i < m->param_count; i++)
        if (strcmp(m->param[i].name, name) == 0)
            return m->param[i].value;
    return NULL;
}

const char *http_query_at(struct http_request *r, const char *name, size_t i)
{
    for (size_t at = 0; at < r->call.query_count; at++)
        if (strcmp(r->call.query[at].name, name) == 0 && i-- == 0)
            return r->call.query[at].value;
    return NULL;
}

const char *http_query(struct http_request *r, const char *name)
{
    return http_query_at(r, name, 0);
}

const char *http_query_name(struct http_request *r, size_t i)
{
    return i < r->call.query_count ? r->call.query[i].name : NULL;
}

const char *http_header(struct http_request *r, const char *name)
{
    return MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name);
}

const char *http_body(struct http_request *r, size_t *len)
{
    *len = r->body.len;
    return str_text(&r->body);
}

const char *http_id(struct http_request *r)
{
    return r->call.id;
}

size_t http_route_index(struct http_request *r)
{
    return r->call.match.index;
}
