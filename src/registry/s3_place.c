/* Reading "s3://BUCKET/PREFIX?…", and where its copies lie on this machine. */
#include "registry/s3_inside.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

static enum pal_status bad(struct pal_error *err, const char *root, const char *why)
{
    return pal_fail(err, PAL_EUSAGE,
                    "models '%.200s': %s; give s3://BUCKET/PREFIX?endpoint=http://HOST:PORT", root,
                    why);
}

/* Between 3 and 63 of a-z 0-9 . - as S3 has them. */
static bool is_bucket(const char *s)
{
    size_t len = strlen(s);
    return len >= 3 && len <= 63 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") == len &&
           s[0] != '.' && s[0] != '-' && !strstr(s, "..");
}

static bool is_word(const char *p, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(p, word, len) == 0;
}

/* "endpoint=…&region=…" */
static const char *read_query(const char *p, struct s3_place *out)
{
    while (*p) {
        const char *end = p + strcspn(p, "&"), *value = memchr(p, '=', (size_t)(end - p));
        bool fine = false;
        if (!value)
            return "what stands behind the '?' must be NAME=VALUE";
        if (is_word(p, (size_t)(value - p), "endpoint"))
            fine = fetch_unescape(out->endpoint, sizeof out->endpoint, value + 1, end);
        else if (is_word(p, (size_t)(value - p), "region"))
            fine = fetch_unescape(out->region, sizeof out->region, value + 1, end);
        else if (is_word(p, (size_t)(value - p), "cache"))
            fine = fetch_unescape(out->cache, sizeof out->cache, value + 1, end);
        else
            return "behind the '?' only endpoint, region and cache are known";
        if (!fine)
            return "a value behind the '?' can't be read";
        p = *end ? end + 1 : end;
    }
    return NULL;
}

/* The first of two variables that is set, into a field that is still empty; false: too long. */
static bool from_environment(const char *first, const char *second, char *out, size_t size)
{
    const char *value = getenv(first);
    if ((!value || !*value) && second)
        value = getenv(second);
    if (*out || !value || !*value)
        return true;
    return (size_t)snprintf(out, size, "%s", value) < size;
}

static const char *check_endpoint(struct s3_place *p)
{
    size_t scheme = strncmp(p->endpoint, "http://", 7) == 0    ? 7
                    : strncmp(p->endpoint, "https://", 8) == 0 ? 8
                                                               : 0;
    size_t len = strlen(p->endpoint);
    while (len && p->endpoint[len - 1] == '/')
        p->endpoint[--len] = 0;
    if (len == 0)
        return NULL;
    if (!scheme || len <= scheme || strpbrk(p->endpoint + scheme, "/?#@ \\\"<>"))
        return "the endpoint must be http://HOST:PORT or https://HOST, without a path or password";
    return NULL;
}

enum pal_status s3_place_read(const char *root, struct s3_place *out, struct pal_error *err)
{
    struct s3_place p = {.bucket = ""};
    const char *why = NULL, *bucket = root + strlen("s3://");
    if (strncmp(root, "s3://", 5) != 0)
        return bad(err, root, "it is no such address");
    const char *slash = bucket + strcspn(bucket, "/?"), *query = bucket + strcspn(bucket, "?");
    const char *prefix = *slash == '/' ? slash + 1 : slash;
    while (prefix < query && *prefix == '/')
        prefix++;
    const char *end = query;
    while (end > prefix && end[-1] == '/')
        end--;
    if (!fetch_unescape(p.bucket, sizeof p.bucket, bucket, slash) || !is_bucket(p.bucket))
        return bad(err, root, "that is no name of a bucket");
    if (!fetch_unescape(p.prefix, sizeof p.prefix - 1, prefix, end) || strstr(p.prefix, "//"))
        return bad(err, root, "the prefix can't be read, or is longer than 500 bytes");
    if (*p.prefix)
        strcat(p.prefix, "/");
    if (*query)
        why = read_query(query + 1, &p);
    if (!why &&
        !from_environment("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", p.endpoint, sizeof p.endpoint))
        why = "AWS_ENDPOINT_URL is too long";
    if (!why && !from_environment("AWS_REGION", "AWS_DEFAULT_REGION", p.region, sizeof p.region))
        why = "AWS_REGION is too long";
    if (!why && !from_environment("PALATE_MODELS_CACHE", NULL, p.cache, sizeof p.cache))
        why = "PALATE_MODELS_CACHE is too long";
    if (!*p.region)
        strcpy(p.region, "us-east-1");
    if (!why && strspn(p.region, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(p.region))
        why = "that is no name of a region";
    if (!why)
        why = check_endpoint(&p);
    if (why)
        return bad(err, root, why);
    *out = p;
    return PAL_OK;
}

/* The folder for all copies. */
static void usual_cache(char *out, size_t size)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache == '/')
        snprintf(out, size, "%s/palate/models", cache);
    else if (home && *home == '/' && access(home, W_OK) == 0)
        snprintf(out, size, "%s/.cache/palate/models", home);
    else
        snprintf(out, size, "/var/tmp/palate-%u/models", (unsigned)getuid());
}

enum pal_status s3_place_local(const struct s3_place *p, char out[PATH_MAX], struct pal_error *err)
{
    char cache[PATH_MAX], key[1024], name[100];
    if (*p->cache)
        snprintf(cache, sizeof cache, "%s", p->cache);
    else
        usual_cache(cache, sizeof cache);
    int len = snprintf(key, sizeof key, "%s %s/%s", p->endpoint, p->bucket, p->prefix);
    snprintf(name, sizeof name, "%s-%016llx", p->bucket,
             (unsigned long long)XXH3_64bits(key, (size_t)len));
    return file_join(out, PATH_MAX, cache, name, err);
}
