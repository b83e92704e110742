/* See s3.h. Each call opens the place, does its few requests and is done: nothing is kept between
 * two but the folder of copies, in which LOCAL/CURRENT has what the server last said of the live
 * version, with its ETag. So the usual answer to "which one is live?" is one request that says
 * "still the same", and a look at the copy.
 *
 * Nobody can lock a bucket. A number belongs to whom the write of 000007/.claim succeeded, which is
 * made on the condition that there is none. CURRENT is replaced on the condition that it is what
 * was read before: who loses that race reads again. Of two trainers that publish at once the one
 * that began later (its number is higher) stays live. CURRENT carries a sum of the version's
 * files.json, so that a number which was removed and given again is not taken for what it was. */
#include "registry/s3.h"

#include "registry/s3_inside.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CLAIM ".claim"
#define CARD  ".card"

enum { RACES = 20 };

static void key_of(char *key, size_t size, uint32_t number, const char *name)
{
    snprintf(key, size, "%06u/%s", number, name);
}

/* The files.json of a version. *there = false: there is no such version. */
static enum pal_status ask_listing(struct s3 *s, uint32_t number, struct str *out, bool *there,
                                   struct pal_error *err)
{
    char key[64];
    struct s3_text manifest = {.there = false}, listing = {.there = false};
    key_of(key, sizeof key, number, REGISTRY_MANIFEST);
    enum pal_status st = s3_text(s, key, NULL, &manifest, err);
    str_done(&manifest.text);
    if (st != PAL_OK)
        return st;
    *there = manifest.there;
    if (!manifest.there)
        return PAL_OK;
    key_of(key, sizeof key, number, S3_LISTING);
    st = s3_text(s, key, NULL, &listing, err);
    if (st == PAL_OK && !listing.there)
        st = pal_fail(err, PAL_ECORRUPT, "%s/%s is gone: publish the version once more", s->name,
                      key);
    if (st == PAL_OK)
        *out = listing.text;
    else
        str_done(&listing.text);
    return st;
}

/* The version that CURRENT names, brought here. */
static enum pal_status bring_current(struct s3 *s, const struct s3_current *c, const char *root,
                                     struct registry_version *v, struct pal_error *err)
{
    struct str listing = {0};
    char sum[S3_SUM + 1];
    bool there = false;
    enum pal_status st = ask_listing(s, c->number, &listing, &there, err);
    if (st == PAL_OK && !there) {
        st = registry_missing(root, c->number, err);
        if (st == PAL_ENOTFOUND)
            st = pal_within(err, PAL_ECORRUPT,
                            "%s/" REGISTRY_CURRENT " names a version that is "
                            "gone",
                            s->name);
        return st;
    }
    if (st == PAL_OK && *c->sum) {
        s3_sum(&listing, sum);
        if (strcmp(sum, c->sum) != 0)
            st = pal_fail(err, PAL_ECORRUPT,
                          "version %u in %s is not the one that was made live: its files.json has "
                          "another sum; activate a version anew",
                          c->number, s->name);
    }
    if (st == PAL_OK)
        st = s3_bring(s, c->number, &listing, v->path, err);
    str_done(&listing);
    return st;
}

/* Whether the copy of it can be used without a question. */
static bool has_current(const struct s3 *s, const struct s3_current *c, char path[PATH_MAX])
{
    char inner[PATH_MAX], sum[S3_SUM + 1];
    struct file_map map;
    struct pal_error ignored;
    if (!*c->sum || !s3_has(s, c->number, NULL, path) ||
        file_join(inner, sizeof inner, path, S3_LISTING, &ignored) != PAL_OK ||
        file_map(inner, &map, &ignored) != PAL_OK)
        return false;
    struct str listing = {.text = (char *)(uintptr_t)map.data, .len = map.size};
    s3_sum(&listing, sum);
    file_unmap(&map);
    return strcmp(sum, c->sum) == 0;
}

static enum pal_status s3_live(const char *root, struct registry_version *out,
                               struct pal_error *err)
{
    struct s3 s;
    struct s3_current known, now = {.there = false};
    struct registry_version v = {.lock = -1};
    enum pal_status st = s3_open(root, &s, err);
    if (st != PAL_OK)
        return st;
    bool knows = s3_known(&s, &known);
    st = s3_ask(&s, knows ? &known : NULL, &now, err);
    if (st == PAL_OK && !now.there)
        st = registry_none_live(root, err);
    if (st == PAL_OK && !has_current(&s, &now, v.path))
        st = bring_current(&s, &now, root, &v, err);
    if (st == PAL_OK && (!knows || strcmp(known.etag, now.etag) != 0))
        s3_remember(&s, &now);
    s3_close(&s);
    if (st == PAL_OK) {
        v.number = now.number;
        *out = v;
    }
    return st;
}

static enum pal_status s3_last(const char *root, struct registry_version *out,
                               struct pal_error *err)
{
    struct s3 s;
    struct s3_current known;
    struct registry_version v = {.lock = -1};
    enum pal_status st = s3_open(root, &s, err);
    if (st != PAL_OK)
        return st;
    if (s3_known(&s, &known) && has_current(&s, &known, v.path)) {
        v.number = known.number;
        *out = v;
    } else {
        st = pal_fail(err, PAL_ENOTFOUND, "%s holds no copy of a version of %s", s.local, s.name);
    }
    s3_close(&s);
    return st;
}

static enum pal_status s3_find(const char *root, uint32_t number, struct registry_version *out,
                               struct pal_error *err)
{
    struct s3 s;
    struct str listing = {0};
    struct registry_version v = {.number = number, .lock = -1};
    bool there = false;
    enum pal_status st = s3_open(root, &s, err);
    if (st != PAL_OK)
        return st;
    if (number)
        st = ask_listing(&s, number, &listing, &there, err);
    if (st == PAL_OK && !there)
        st = registry_missing(root, number, err);
    if (st == PAL_OK)
        st = s3_bring(&s, number, &listing, v.path, err);
    str_done(&listing);
    s3_close(&s);
    if (st == PAL_OK)
        *out = v;
    return st;
}

/* ---- the list ---- */

/* The manifest of a version that may not be here: LOCAL/000007.card/manifest.json, beside the ETag
 * that it had. */
static enum pal_status bring_card(struct s3 *s, const struct s3_object *o, char path[PATH_MAX],
                                  struct pal_error *err)
{
    char key[64], file[PATH_MAX];
    struct file_map map = {"", 0};
    struct s3_text t;
    enum pal_status st = folder_version(path, s->local, o->number, CARD, err);
    if (st == PAL_OK)
        st = file_make_dir(path, err);
    if (st == PAL_OK)
        st = file_join(file, sizeof file, path, "etag", err);
    if (st != PAL_OK)
        return st;
    bool same = file_map(file, &map, NULL) == PAL_OK && map.size == strlen(o->etag) && map.size &&
                memcmp(map.data, o->etag, map.size) == 0;
    file_unmap(&map);
    if (same && folder_holds(path, REGISTRY_MANIFEST))
        return PAL_OK;
    key_of(key, sizeof key, o->number, REGISTRY_MANIFEST);
    st = s3_text(s, key, NULL, &t, err);
    struct str etag = {0};
    str_put(&etag, o->etag);
    if (st == PAL_OK)
        st = s3_write_text(path, REGISTRY_MANIFEST, &t.text, err);
    if (st == PAL_OK)
        st = s3_write_text(path, "etag", &etag, err);
    str_done(&etag);
    str_done(&t.text);
    return st;
}

static enum pal_status s3_versions(const char *root, struct registry_version **out, size_t *count,
                                   struct pal_error *err)
{
    struct s3 s;
    struct s3_object *all = NULL;
    struct registry_version *found = NULL;
    size_t n = 0, objects = 0, cap = 0;
    enum pal_status st = s3_open(root, &s, err);
    if (st != PAL_OK)
        return st;
    st = s3_list(&s, &all, &objects, err);
    for (size_t i = 0; i < objects && st == PAL_OK; i++) {
        struct registry_version v = {.number = all[i].number, .lock = -1};
        if (strcmp(all[i].name, REGISTRY_MANIFEST) != 0)
            continue;
        st = bring_card(&s, &all[i], v.path, err);
        if (st == PAL_OK && mem_grow(&found, &cap, n + 1, sizeof *found))
            st = pal_no_memory(err);
        if (st == PAL_OK)
            found[n++] = v;
    }
    mem_free(all);
    s3_close(&s);
    if (st != PAL_OK) {
        mem_free(found);
        return st;
    }
    registry_sort(found, n);
    *out = found;
    *count = n;
    return PAL_OK;
}

static enum pal_status s3_activate(const char *root, uint32_t number, struct pal_error *err)
{
    struct s3 s;
    struct str listing = {0};
    bool there = false;
    enum pal_status st = s3_open(root, &s, err);
    if (st != PAL_OK)
        return st;
    if (number)
        st = ask_listing(&s, number, &listing, &there, err);
    if (st == PAL_OK && !there)
        st = registry_missing(root, number, err);
    if (st == PAL_OK)
        st = s3_switch(&s, number, &listing, true, err);
    str_done(&listing);
    s3_close(&s);
    return st;
}

/* ---- building ---- */

/* Writes the claim if there is none. */
static enum pal_status claim(struct s3 *s, uint32_t number, const char *text, bool *won,
                             struct pal_error *err)
{
    char key[64];
    key_of(key, sizeof key, number, CLAIM);
    struct s3_call c = {
        .method = "PUT", .key = key, .if_none_match = "*", .body = text, .body_size = strlen(text)};
    enum pal_status st = s3_do(s, &c, err);
    *won = c.status >= 200 && c.status < 300;
    str_done(&c.answer);
    if (st != PAL_OK || *won)
        return st;
    struct s3_text t; /* it may be our own: of a try whose answer was lost */
    st = s3_text(s, key, NULL, &t, err);
    if (st == PAL_OK)
        *won = t.there && strcmp(str_text(&t.text), text) == 0;
    str_done(&t.text);
    return st;
}

/* A number of our own, higher than any there is. */
static enum pal_status claim_number(struct s3 *s, uint32_t *number, struct pal_error *err)
{
    struct timespec now;
    char text[128], other[140];
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(text, sizeof text, "%lld.%09ld %ld\n", (long long)now.tv_sec, now.tv_nsec,
             (long)getpid());
    snprintf(other, sizeof other, "twice %s", text);
    for (int i = 0; i < RACES; i++) {
        struct s3_object *all = NULL;
        size_t count = 0;
        bool won = false, again = false;
        enum pal_status st = s3_list(s, &all, &count, err);
        uint32_t next = s3_highest(all, count) + 1;
        mem_free(all);
        if (st == PAL_OK)
            st = claim(s, next, text, &won, err);
        if (st == PAL_OK && won)
            st = claim(s, next, other, &again, err);
        if (st == PAL_OK && again)
            st = pal_fail(err, PAL_EUNSUPPORTED,
                          "the server of %s takes conditional writes (If-None-Match) for plain "
                          "ones: two trainers could get the same number; use one that keeps them",
                          s->name);
        if (st != PAL_OK)
            return st;
        if (won) {
            *number = next;
            return PAL_OK;
        }
    }
    return pal_fail(err, PAL_EIO, "no version could be begun in %s: others kept taking its number",
                    s->name);
}

static enum pal_status s3_begin(const char *root, struct registry_version *out,
                                struct pal_error *err)
{
    struct s3 s;
    uint32_t number = 0;
    enum pal_status st = s3_open(root, &s, err);
    if (st != PAL_OK)
        return st;
    st = folder_sweep(s.local, err);
    if (st == PAL_OK)
        st = claim_number(&s, &number, err);
    if (st == PAL_OK)
        st = folder_make(s.local, number, out, err);
    s3_close(&s);
    return st;
}

/* All files but the manifest, their listing, and then the manifest. */
static enum pal_status upload_all(struct s3 *s, const struct registry_version *v,
                                  const struct s3_files *f, const struct str *listing,
                                  struct pal_error *err)
{
    char key[S3_NAME_MOST + 16], path[PATH_MAX];
    enum pal_status st = PAL_OK;
    for (int last = 0; last < 2; last++) {
        for (size_t i = 0; i < f->count && st == PAL_OK; i++) {
            if ((strcmp(f->file[i].name, REGISTRY_MANIFEST) == 0) != last)
                continue;
            key_of(key, sizeof key, v->number, f->file[i].name);
            st = file_join(path, sizeof path, v->path, f->file[i].name, err);
            if (st == PAL_OK)
                st = s3_upload(s, key, path, &f->file[i], err);
        }
        if (last || st != PAL_OK)
            continue;
        struct s3_file as_file = {.size = listing->len};
        s3_hash(str_text(listing), listing->len, as_file.hash);
        st = s3_write_text(v->path, S3_LISTING, listing, err);
        if (st == PAL_OK)
            st = file_join(path, sizeof path, v->path, S3_LISTING, err);
        key_of(key, sizeof key, v->number, S3_LISTING);
        if (st == PAL_OK)
            st = s3_upload(s, key, path, &as_file, err);
    }
    return st;
}

static enum pal_status s3_publish(const char *root, struct registry_version *v, int activate,
                                  struct pal_error *err)
{
    struct s3 s;
    struct s3_files *f = NULL;
    struct str listing = {0};
    enum pal_status st = registry_check_whole(v, err);
    if (st == PAL_OK)
        st = s3_open(root, &s, err);
    if (st != PAL_OK)
        return st;
    st = s3_files_of(v->path, &f, err);
    if (st == PAL_OK) {
        s3_files_write(f, &listing);
        st = str_ok(&listing) ? upload_all(&s, v, f, &listing, err) : pal_no_memory(err);
    }
    if (st == PAL_OK)
        st = s3_keep(&s, v, err);
    if (st == PAL_OK && activate)
        st = s3_switch(&s, v->number, &listing, false, err);
    mem_free(f);
    str_done(&listing);
    s3_close(&s);
    return st;
}

/* Deletes a version's objects, the manifest first and the claim last. */
static enum pal_status delete_all(struct s3 *s, uint32_t number, struct pal_error *err)
{
    struct s3_object *all = NULL;
    size_t count = 0;
    char key[S3_NAME_MOST + 16];
    key_of(key, sizeof key, number, REGISTRY_MANIFEST);
    enum pal_status st = s3_delete(s, key, err);
    if (st == PAL_OK)
        st = s3_list(s, &all, &count, err);
    for (size_t i = 0; i < count && st == PAL_OK; i++) {
        if (all[i].number != number || strcmp(all[i].name, CLAIM) == 0)
            continue;
        key_of(key, sizeof key, number, all[i].name);
        st = s3_delete(s, key, err);
    }
    mem_free(all);
    key_of(key, sizeof key, number, CLAIM);
    return st == PAL_OK ? s3_delete(s, key, err) : st;
}

/* What was uploaded goes, too, as far as the server is there. */
static void s3_abandon(const char *root, struct registry_version *v)
{
    struct s3 s;
    struct pal_error ignored;
    uint32_t number = v->number;
    if (v->lock < 0) { /* it was published */
        memset(v, 0, sizeof *v);
        return;
    }
    folder_abandon(root, v);
    if (s3_open(root, &s, &ignored) != PAL_OK)
        return;
    if (delete_all(&s, number, &ignored) != PAL_OK)
        number = 0; /* it stays, without a manifest: nobody sees it */
    s3_close(&s);
}

static enum pal_status put_back(struct s3 *s, const char *key, const struct str *text,
                                struct pal_error *err)
{
    struct s3_call c = {
        .method = "PUT", .key = key, .body = str_text(text), .body_size = text->len};
    enum pal_status st = s3_do(s, &c, err);
    str_done(&c.answer);
    return st;
}

/* A remover that finds the version live once its manifest is gone puts that back: who made it live
 * meanwhile comes first. So does one that can't find out, as far as the server is there. */
static enum pal_status remove_version(struct s3 *s, uint32_t number, struct pal_error *err)
{
    char key[64];
    struct s3_text manifest = {.there = false};
    struct s3_current now = {.there = false};
    struct pal_error ignored;
    key_of(key, sizeof key, number, REGISTRY_MANIFEST);
    enum pal_status st = s3_text(s, key, NULL, &manifest, err);
    if (st == PAL_OK)
        st = s3_delete(s, key, err);
    if (st == PAL_OK)
        st = s3_ask(s, NULL, &now, err);
    if (st != PAL_OK) {
        if (manifest.there && put_back(s, key, &manifest.text, &ignored) != PAL_OK && err)
            pal_within(err, st, "version %u may lack its manifest: remove it once more", number);
    } else if (now.number != number) {
        st = delete_all(s, number, err);
    } else {
        st = manifest.there ? put_back(s, key, &manifest.text, err) : PAL_OK;
        if (st == PAL_OK)
            st = pal_fail(err, PAL_EUSAGE,
                          "version %u in %s was made live meanwhile: activate another one first",
                          number, s->name);
    }
    str_done(&manifest.text);
    return st;
}

static enum pal_status s3_remove(const char *root, uint32_t number, struct pal_error *err)
{
    struct s3 s;
    struct s3_current now;
    struct str listing = {0};
    bool there = false;
    enum pal_status st = s3_open(root, &s, err);
    if (st != PAL_OK)
        return st;
    if (number)
        st = ask_listing(&s, number, &listing, &there, err);
    if (st == PAL_ECORRUPT) /* damaged: all the more to be removed */
        st = PAL_OK;
    str_done(&listing);
    if (st == PAL_OK && !there)
        st = registry_missing(root, number, err);
    if (st == PAL_OK)
        st = s3_ask(&s, NULL, &now, err);
    if (st == PAL_OK && now.number == number)
        st = pal_fail(err, PAL_EUSAGE, "version %u in %s is live: activate another one first",
                      number, s.name);
    if (st == PAL_OK)
        st = remove_version(&s, number, err);
    s3_close(&s);
    return st;
}

static enum pal_status s3_folder(const char *root, char *out, size_t size, struct pal_error *err)
{
    struct s3_place p;
    char local[PATH_MAX];
    enum pal_status st = s3_place_read(root, &p, err);
    if (st == PAL_OK)
        st = s3_place_local(&p, local, err);
    if (st == PAL_OK && strlen(local) >= size)
        st = pal_fail(err, PAL_EUSAGE, "the path %.60s… is too long", local);
    if (st == PAL_OK)
        strcpy(out, local);
    return st;
}

const struct registry_ops registry_s3 = {
    .kind = {"s3", "s3://BUCKET/PREFIX"},
    .begin = s3_begin,
    .publish = s3_publish,
    .abandon = s3_abandon,
    .current = s3_live,
    .last = s3_last,
    .find = s3_find,
    .activate = s3_activate,
    .remove = s3_remove,
    .list = s3_versions,
    .folder = s3_folder,
};
