/* The page that is served at "/", as bytes in the binary: the files below web/ and the chart
 * library, made into a table by tools/embed when palate is built. Nothing of it is read from disk.
 *
 * All of it is constant: any thread may use it at any time. */
#ifndef SERVER_WEB_H
#define SERVER_WEB_H

#include <stddef.h>

struct web_asset {
    const char *path;         /* "/" for the page itself, else "/assets/NAME" */
    const char *content_type; /* with its charset */
    const char *etag;         /* quoted, a hash of the content; weak where there are two forms */
    const unsigned char *data, *gzip; /* gzip: the same compressed, or NULL */
    size_t len, gzip_len;
    const char *sha256; /* of the content, in base64: for a policy, where it stands inline */
};
extern const struct web_asset web_assets[]; /* (web_asset_count) sorted by path */
extern const size_t web_asset_count;

/* What the page keeps to, to be sent along with it as Content-Security-Policy: scripts and styles
 * from its own server only and none of them inline; pictures of items may come from elsewhere. */
#define WEB_POLICY                                                                                 \
    "default-src 'self'; img-src 'self' data: https:; object-src 'none'; base-uri 'none'; "        \
    "form-action 'none'; frame-ancestors 'none'"

/* The asset at this path, NULL if there is none. O(log count). */
const struct web_asset *web_asset_find(const char *path);

#endif
