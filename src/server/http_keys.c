/* See http_keys.h. */
#include "server/http_keys.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

enum { DIGEST = 32, NAME_MOST = 64, SECRET_LEAST = 16, SECRET_MOST = 256, KEYS_MOST = 1000 };

struct key {
    char name[NAME_MOST + 1];
    enum http_right right;
    unsigned char digest[DIGEST];
};

struct keys {
    struct key *key;
    size_t count, cap;
};

void keys_free(struct keys *k)
{
    if (!k)
        return;
    mem_free(k->key);
    mem_free(k);
}

static bool digest(const char *secret, size_t len, unsigned char out[DIGEST])
{
    return gnutls_hash_fast(GNUTLS_DIG_SHA256, secret, len, out) == 0;
}

/* [p, end) as printable ASCII without blanks: what a header can carry. */
static bool printable(const char *p, const char *end)
{
    for (; p < end; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    return true;
}

static bool read_right(const char *p, const char *end, enum http_right *out)
{
    static const char *const words[] = {"read", "write", "admin"};
    for (int i = 0; i < 3; i++)
        if (text_is(p, end, words[i])) {
            *out = (enum http_right)(HTTP_READ + i);
            return true;
        }
    return false;
}

/* The parts of one line; what is wrong with it, or NULL. */
static const char *read_line(const char *p, const char *end, struct key *k)
{
    const char *name_end = memchr(p, ':', (size_t)(end - p));
    const char *right = name_end ? name_end + 1 : end;
    const char *right_end = memchr(right, ':', (size_t)(end - right));
    if (!name_end || !right_end)
        return "write NAME:RIGHT:SECRET";
    const char *secret = right_end + 1;
    if (name_end == p || name_end - p > NAME_MOST || !printable(p, name_end))
        return "a key's name is 1 to 64 printable ASCII characters without blanks";
    if (!read_right(right, right_end, &k->right))
        return "the right is one of read, write, admin";
    if (end - secret < SECRET_LEAST || end - secret > SECRET_MOST || !printable(secret, end))
        return "a secret is 16 to 256 printable ASCII characters without blanks "
               "(openssl rand -hex 24 makes a good one)";
    memcpy(k->name, p, (size_t)(name_end - p));
    k->name[name_end - p] = 0;
    return digest(secret, (size_t)(end - secret), k->digest) ? NULL : "SHA-256 failed";
}

/* What keeps a new key from being added, or NULL. */
static const char *find_double(const struct keys *k, const struct key *new)
{
    for (size_t i = 0; i < k->count; i++) {
        if (strcmp(k->key[i].name, new->name) == 0)
            return "another line has this name";
        if (memcmp(k->key[i].digest, new->digest, DIGEST) == 0)
            return "another line has this secret";
    }
    return k->count >= KEYS_MOST ? "more than 1000 keys" : NULL;
}

static enum pal_status parse_into(struct keys *k, const char *path, const char *p, const char *end,
                                  struct pal_error *err)
{
    for (size_t line = 1; p < end; line++) {
        const char *next = memchr(p, '\n', (size_t)(end - p)), *stop = next ? next : end;
        next = next ? next + 1 : end;
        while (stop > p && (stop[-1] == '\r' || stop[-1] == ' ' || stop[-1] == '\t'))
            stop--;
        if (stop > p && *p != '#') {
            struct key key = {.right = HTTP_OPEN};
            const char *wrong = read_line(p, stop, &key);
            if (!wrong)
                wrong = find_double(k, &key);
            if (wrong)
                return pal_fail(err, PAL_EUSAGE, "%s:%zu: %s", path, line, wrong);
            if (mem_grow(&k->key, &k->cap, k->count + 1, sizeof *k->key))
                return pal_no_memory(err);
            k->key[k->count++] = key;
        }
        p = next;
    }
    if (!k->count)
        return pal_fail(err, PAL_EUSAGE, "%s: no key in it: write lines of NAME:RIGHT:SECRET",
                        path);
    return PAL_OK;
}

enum pal_status keys_parse(const char *path, const char *text, size_t len, struct keys **out,
                           struct pal_error *err)
{
    struct keys *k = mem_zero(1, sizeof *k);
    if (!k)
        return pal_no_memory(err);
    enum pal_status st = parse_into(k, path, text, text + len, err);
    if (st == PAL_OK)
        *out = k;
    else
        keys_free(k);
    return st;
}

enum pal_status keys_load(const char *path, struct keys **out, struct pal_error *err)
{
    struct file_map map = {0};
    if (file_map(path, &map, err) != PAL_OK)
        return pal_within(err, PAL_EUSAGE, "the file of API keys");
    enum pal_status st = keys_parse(path, map.data, map.size, out, err);
    file_unmap(&map);
    return st;
}

enum http_right keys_find(const struct keys *k, const char *secret, const char **name)
{
    unsigned char given[DIGEST];
    const struct key *found = NULL;
    size_t len = strlen(secret);
    if (len > SECRET_MOST || !digest(secret, len, given))
        return HTTP_OPEN;
    for (size_t i = 0; i < k->count; i++)
        if (gnutls_memcmp(k->key[i].digest, given, DIGEST) == 0)
            found = &k->key[i]; /* on to the end: the time tells nothing of the place */
    if (!found)
        return HTTP_OPEN;
    *name = found->name;
    return found->right;
}
