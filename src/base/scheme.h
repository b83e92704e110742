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

/* Makes known that URLs of this scheme would be understood, had the build had a library: its name,
 * and the package that it comes in. Before any thread is started; texts are constants. */
void scheme_absent(const char *scheme, const char *library, const char *package);

/* What a URL may name: the first member of each kind's table of operations. */
struct scheme_kind {
    const char *scheme; /* "sqlite": what stands before the colon */
    const char
        *shape; /* "sqlite:FILE", for the list of those there are; two names of one kind share it */
};

enum { SCHEME_KINDS_MOST = 8 };
struct scheme_kinds {
    const char *what; /* "store" */
    const struct scheme_kind *kind[SCHEME_KINDS_MOST];
    size_t count;
};

/* Makes a kind known, once. Before any thread is started; it lives as long as the process. */
void scheme_add(struct scheme_kinds *all, const struct scheme_kind *kind);

/* The kind that a URL names. PAL_EUNSUPPORTED: "stream 'x:y': this build has no such kind of
 * stream; it has: …", or that it was made without a library. */
enum pal_status scheme_find(const struct scheme_kinds *all, const char *url,
                            const struct scheme_kind **out, struct pal_error *err);

#endif
