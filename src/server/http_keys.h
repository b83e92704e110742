/* API keys: who may do what. Only digests of the secrets are kept, and nothing here ever puts a
 * secret into a message. Immutable once made. */
#ifndef SERVER_HTTP_KEYS_H
#define SERVER_HTTP_KEYS_H

#include "server/http.h"

struct keys;

/* Parses lines of NAME:RIGHT:SECRET; blank lines and lines that begin with '#' are passed over.
 * PAL_EUSAGE names file and line: a line that is not so, a name or a secret given twice, a secret
 * shorter than 16 bytes, no key at all. `path` only names the text in messages. */
MUST_USE enum pal_status keys_parse(const char *path, const char *text, size_t len,
                                    struct keys **out, struct pal_error *err);

/* The same from a file. PAL_EUSAGE if it can't be read. */
MUST_USE enum pal_status keys_load(const char *path, struct keys **out, struct pal_error *err);
void keys_free(struct keys *k); /* NULL is fine */

/* The right of a secret, and the name of its key in *name (borrowed); HTTP_OPEN if there is none.
 * Compares SHA-256 digests of all keys in constant time, so that neither the length nor a prefix of
 * a secret can be measured. About 1 µs. */
enum http_right keys_find(const struct keys *k, const char *secret, const char **name);

#endif
