/* The calls that palate answers over HTTP, v1 and classic; their shapes are in openapi.json. */
#ifndef SERVER_API_H
#define SERVER_API_H

#include "engine/live.h"
#include "engine/loop.h"
#include "server/http.h"

struct api;

struct api_options {
    struct live *live; /* borrowed, as is the loop */
    struct loop *loop;
    const char *models; /* the registry's folder */
    bool allow_cleanup; /* /cleanup may forget everything */
};

MUST_USE enum pal_status api_new(const struct api_options *o, struct api **out,
                                 struct pal_error *err);

/* After http_stop. NULL is fine. */
void api_free(struct api *a);

/* The table of routes, for http_start with the struct api as context. */
const struct http_route *api_routes(size_t *count);

/* The server that asks, for its traffic figures; before the first request that wants them. */
void api_serve(struct api *a, struct http_server *server);

#endif
