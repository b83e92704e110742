/* What the files of the S3 registry share. See s3.c for how it works. */
#ifndef REGISTRY_S3_INSIDE_H
#define REGISTRY_S3_INSIDE_H

#include "base/str.h"
#include "fetch/fetch.h"
#include "registry/backend.h"

enum {
    S3_NAME_MOST = 128,       /* of a file of a version, with its NUL */
    S3_FILES_MOST = 256,      /* of a version */
    S3_PART = 16 << 20,       /* bytes: what is larger goes up in parts of at least that */
    S3_PARTS_MOST = 9000,     /* of the 10,000 that S3 allows */
    S3_HASH = 65,             /* a SHA-256 in hexadecimal, with its NUL */
    S3_LISTING_MOST = 1 << 20 /* bytes of a files.json */
};

/* ---- Where (s3_place.c) ---- */

struct s3_place {
    char bucket[64];
    char prefix[512];   /* "" or with a slash behind it */
    char endpoint[256]; /* "http://HOST:PORT", without a slash behind it; "" = Amazon's */
    char region[64];
    char cache[1024]; /* where copies are kept; "" = the usual place */
};

/* Reads "s3://BUCKET/PREFIX?endpoint=…&region=…&cache=…"; what it does not say is taken from the
 * environment: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION,
 * PALATE_MODELS_CACHE. PAL_EUSAGE. */
MUST_USE enum pal_status s3_place_read(const char *root, struct s3_place *out,
                                       struct pal_error *err);

/* The folder of copies for a place, keyed by endpoint, bucket and prefix. */
MUST_USE enum pal_status s3_place_local(const struct s3_place *p, char out[PATH_MAX],
                                        struct pal_error *err);

/* ---- Requests (s3_call.c) ---- */

struct s3 {
    struct s3_place place;
    char name[640];           /* "s3://bucket/prefix", for messages */
    char root[400];           /* "http://host/bucket" */
    char aws[128];            /* how curl signs */
    const char *key, *secret; /* of the environment */
    struct str token;         /* "x-amz-security-token: …" or empty */
    char local[PATH_MAX];     /* where copies are kept */
    struct fetch *fetch;
};

MUST_USE enum pal_status s3_open(const char *root, struct s3 *out, struct pal_error *err);
void s3_close(struct s3 *s);

/* One request for the object PREFIX + key (key NULL: for the bucket). */
struct s3_call {
    const char *method, *key;
    const char *query; /* NULL, or "a=…&b=…" in order, escaped, each with its '=' */
    const char *if_match, *if_none_match; /* values of headers; NULL = none */
    const void *body;                     /* NULL = none */
    size_t body_size;
    const char *hash;    /* of the body, in hexadecimal; NULL = it is computed */
    fetch_take_fn *take; /* see fetch.h */
    void *ctx;
    bool once; /* not to be tried again by itself */

    long status; /* out: 2xx, 304, 404 (but for the bucket itself), 409 or 412 */
    struct str answer;
    char etag[200];
};

/* Tries again, a little later, what servers ask to be asked again, unless the body of an answer was
 * taken. PAL_EIO for all that is not one of the statuses above: the server is away, refuses, has no
 * such bucket. The caller frees c->answer. */
MUST_USE enum pal_status s3_do(struct s3 *s, struct s3_call *c, struct pal_error *err);

/* "cannot WHAT NAME: the server answered 418 (Code: Message)". PAL_EIO. */
enum pal_status s3_refused(const struct s3 *s, const struct s3_call *c, const char *what,
                           struct pal_error *err);

/* Deletes an object; one that is not there is fine. */
MUST_USE enum pal_status s3_delete(struct s3 *s, const char *key, struct pal_error *err);

/* SHA-256 of [data, data + size). */
void s3_hash(const void *data, size_t size, char out[S3_HASH]);

/* ---- XML (s3_xml.c) ---- */

/* The text of the first element <tag> (without attributes) in [*p, end), its references decoded;
 * *p moves behind it. false (nothing changes) if there is none, it is not closed, or it has
 * elements inside. */
bool s3_xml_text(const char **p, const char *end, const char *tag, struct str *out);
/* What lies inside the first element <tag>, elements and all; *p moves behind it. */
bool s3_xml_inside(const char **p, const char *end, const char *tag, const char **from,
                   const char **to);

/* ---- What is there (s3_list.c) ---- */

struct s3_object {
    uint32_t number;         /* of the version whose folder it lies in */
    char name[S3_NAME_MOST]; /* inside it */
    char etag[80];
};

/* All objects in folders of versions, in the order of their keys; *out is the caller's to
 * mem_free. Others are passed over. */
MUST_USE enum pal_status s3_list(struct s3 *s, struct s3_object **out, size_t *count,
                                 struct pal_error *err);
/* The highest number among them; 0 for none. */
uint32_t s3_highest(const struct s3_object *all, size_t count);

/* ---- A version's files (s3_files.c): files.json ---- */

#define S3_LISTING "files.json"

struct s3_file {
    char name[S3_NAME_MOST];
    uint64_t size;
    char hash[S3_HASH];
};
struct s3_files {
    struct s3_file file[S3_FILES_MOST];
    size_t count;
};

/* Looks at the files of a folder, in the order of their names. */
MUST_USE enum pal_status s3_files_of(const char *folder, struct s3_files **out,
                                     struct pal_error *err);
void s3_files_write(const struct s3_files *f, struct str *out);
/* PAL_ECORRUPT for what s3_files_write does not write: every name, size and hash is checked. `what`
 * is for the message. *out is the caller's to mem_free. */
MUST_USE enum pal_status s3_files_read(const char *what, const char *text, size_t size,
                                       struct s3_files **out, struct pal_error *err);

/* ---- Up (s3_upload.c) and down (s3_fetch.c) ---- */

/* Uploads a file as PREFIX + key; in parts if it is large. */
MUST_USE enum pal_status s3_upload(struct s3 *s, const char *key, const char *path,
                                   const struct s3_file *file, struct pal_error *err);

/* The text of a small object, at most `most` bytes; *there = false if there is no such object.
 * if_none_match: an ETag; *same: the object still has it, and nothing was read. */
struct s3_text {
    struct str text;
    char etag[200];
    bool there, same;
};
MUST_USE enum pal_status s3_text(struct s3 *s, const char *key, const char *if_none_match,
                                 struct s3_text *out, struct pal_error *err);

/* Brings version `number` into the local folder, unless it is there, and gives its path. listing:
 * its files.json, as the server has it. */
MUST_USE enum pal_status s3_bring(struct s3 *s, uint32_t number, const struct str *listing,
                                  char path[PATH_MAX], struct pal_error *err);

/* A small file that appears whole. */
MUST_USE enum pal_status s3_write_text(const char *folder, const char *name, const struct str *text,
                                       struct pal_error *err);

/* Whether the local copy of a version is whole and has this listing (NULL: whichever). */
bool s3_has(const struct s3 *s, uint32_t number, const struct str *listing, char path[PATH_MAX]);

/* Makes the folder of a version that was built here the local copy of it. */
MUST_USE enum pal_status s3_keep(struct s3 *s, struct registry_version *v, struct pal_error *err);

/* ---- Which one is live (s3_current.c) ---- */

enum { S3_SUM = 16 };

/* What CURRENT says. */
struct s3_current {
    uint32_t number;
    char sum[S3_SUM + 1]; /* of files.json; "" if somebody wrote it by hand */
    char etag[200];
    bool there; /* false: none is live */
};

void s3_sum(const struct str *listing, char sum[S3_SUM + 1]);

/* What this machine knows; false if nothing. Remembering is a help and no more. */
bool s3_known(const struct s3 *s, struct s3_current *out);
void s3_remember(const struct s3 *s, const struct s3_current *c);

/* What the server says. known: what this machine knows, or NULL to read anew. PAL_ECORRUPT (etag
 * and there are filled) for a damaged one. */
MUST_USE enum pal_status s3_ask(struct s3 *s, const struct s3_current *known,
                                struct s3_current *out, struct pal_error *err);

/* Makes a version live; forced: even where a higher number is. */
MUST_USE enum pal_status s3_switch(struct s3 *s, uint32_t number, const struct str *listing,
                                   bool forced, struct pal_error *err);

#endif
