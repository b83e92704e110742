/* The calls that palate answers over HTTP, v1 and classic; their shapes are in openapi.json. */
#ifndef SERVER_API_H
#define SERVER_API_H

#include "engine/live.h"
#include "engine/loop.h"
#include "engine/roles.h"
#include "server/http.h"

struct api;

struct api_options {
    unsigned roles;     /* roles.h: calls of others answer 409 and say whom to ask */
    const char *models; /* the registry's folder */
    bool allow_cleanup; /* /cleanup may forget everything */
};

/* Until api_open all calls answer 503 "starting", but for the page and /health/live. */
MUST_USE enum pal_status api_new(const struct api_options *o, struct api **out,
                                 struct pal_error *err);

/* There is something to answer from: borrowed until api_free. loop NULL = there is none. */
void api_open(struct api *a, struct live *live, struct loop *loop);

/* After http_stop. NULL is fine. */
void api_free(struct api *a);

/* The table of routes, for http_start with the struct api as context; returns how many. */
enum { API_ROUTES_MOST = 64 };
size_t api_routes(struct http_route out[API_ROUTES_MOST]);

/* The server that asks, for its traffic figures; before the first request that wants them. */
void api_serve(struct api *a, struct http_server *server);

#endif
