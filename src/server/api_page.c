/* The page, and the document that describes the API: files compiled into the binary. */
#include "server/api_inside.h"
#include "server/web.h"

#include <stdio.h>
#include <string.h>

static void say_asset(struct http_request *r, const char *path)
{
    const struct web_asset *asset = web_asset_find(path);
    if (!asset) {
        http_problem(r, 404, "no_such_file", "the page has no such file");
        return;
    }
    http_set_header(r, "Content-Security-Policy", WEB_POLICY);
    http_set_header(r, "X-Content-Type-Options", "nosniff");
    http_set_header(r, "Referrer-Policy", "no-referrer");
    http_set_header(r, "Cache-Control", "no-cache"); /* kept, but asked for by its ETag */
    http_static(r, &(struct http_file){.content_type = asset->content_type,
                                       .etag = asset->etag,
                                       .data = asset->data,
                                       .len = asset->len,
                                       .gzip = asset->gzip,
                                       .gzip_len = asset->gzip_len});
}

void api_page(void *ctx, struct http_request *r)
{
    char path[256];
    const char *file = http_param(r, "file");
    (void)ctx;
    if (file)
        snprintf(path, sizeof path, "/assets/%s", file);
    say_asset(r, file ? path : "/");
}

void api_icon(void *ctx, struct http_request *r)
{
    (void)ctx;
    say_asset(r, "/assets/favicon.svg");
}

void api_openapi(void *ctx, struct http_request *r)
{
    (void)ctx;
    say_asset(r, "/openapi.json");
}
