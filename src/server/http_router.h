/* From a method and a path to a route. Immutable once made: any thread may match. */
#ifndef SERVER_HTTP_ROUTER_H
#define SERVER_HTTP_ROUTER_H

#include "server/http.h"
#include "server/http_url.h"

enum { ROUTE_PARAMS = 8, ROUTE_SEGMENTS = 16 };

/* Methods as bits. */
enum http_method {
    METHOD_GET = 1,
    METHOD_HEAD = 2,
    METHOD_POST = 4,
    METHOD_PUT = 8,
    METHOD_DELETE = 16,
    METHOD_PATCH = 32,
    METHOD_OPTIONS = 64,
    METHOD_OTHER = 0,
};

struct router;

struct route_match {
    const struct http_route *route; /* NULL: no route has this path with this method */
    size_t index;                   /* of the route in the table */
    unsigned allow;                 /* methods of all routes with this path; 0: there is none */
    size_t param_count;
    struct url_pair param[ROUTE_PARAMS]; /* decoded */
};

/* routes outlive the router. Asserts that patterns make sense: they are our own. */
MUST_USE enum pal_status router_new(const struct http_route *routes, size_t count,
                                    struct router **out, struct pal_error *err);
void router_free(struct router *r);

enum http_method method_of(const char *name);

/* Appends "GET, HEAD, OPTIONS". */
void method_list(unsigned methods, struct str *out);

/* [p, end) is a path as it was sent, beginning with '/'. It is cut at '/' before anything is
 * decoded, so that %2F is part of a segment. Where several patterns fit, a literal segment goes
 * before a name. PAL_EUSAGE where a segment can't be decoded; finding nothing is no error. */
MUST_USE enum pal_status router_match(const struct router *r, enum http_method method,
                                      const char *p, const char *end, struct arena *a,
                                      struct route_match *out, struct pal_error *err);

#endif
