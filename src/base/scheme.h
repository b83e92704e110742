/* What stands before the colon of a URL, and what is said when nobody knows it. URLs are shown
 * without the password that may be in them. */
#ifndef BASE_SCHEME_H
#define BASE_SCHEME_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>

/* Whether url is "SCHEME:" and something behind it. */
bool scheme_is(const char *url, const char *scheme);

/* Appends url with "***" in the place of a password: what stands between the first colon behind
 * "://" and the last '@' before the next '/'; and of the value of password=, secret=, key=, token=
 * behind a '?'. What stands behind catalog= is a URL of its own, up to the end. */
void scheme_show(struct str *out, const char *url);

/* The same into a text of one's own, cut to its size. */
void scheme_copy(char *buf, size_t size, const char *url);

/* Appends a shape to a list "a, b, c". */
void scheme_list(struct str *shapes, const char *shape);

/* Makes known that URLs of this scheme would be understood, had the build had a library: its name,
 * and the package that it comes in. Before any thread is started; texts are constants. */
void scheme_absent(const char *scheme, const char *library, const char *package);

/* PAL_EUNSUPPORTED: "stream 'x:y': this build has no such kind of stream; it has: …", or that it
 * was made without a library. */
enum pal_status scheme_unknown(const char *what, const char *url, const struct str *shapes,
                               struct pal_error *err);

#endif
