/* See version.h. The manifest is for people and tools: all that opening a version takes from it is
 * which models there are and which one comes first; each model file describes and checks itself.
 *
 * jansson takes its memory from malloc, not from base/mem.h: setting its allocator would change it
 * for the whole process, which is not a library's to do. */
#include "engine/version.h"

#include "base/file.h"
#include "base/mem.h"
#include "rank/rank.h"

#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define MANIFEST "manifest.json"
#define CATALOG  "catalog.palate"
#define SUFFIX   ".safetensors"

enum pal_status catalog_write(const struct items *items, const char *path, struct pal_error *err)
{
    struct tensors_out t = {0};
    enum pal_status st = tensors_meta(&t, "palate.kind", "catalog", err);
    if (st == PAL_OK)
        st = tensors_add_items(&t, items, err);
    if (st == PAL_OK)
        st = tensors_write(&t, path, err);
    tensors_out_done(&t);
    return st;
}

enum pal_status catalog_read(const char *path, struct items *out, struct pal_error *err)
{
    struct tensors *t = NULL;
    enum pal_status st = tensors_open(path, &t, err);
    if (st == PAL_OK && !tensors_checked(t))
        st = pal_fail(err, PAL_ECORRUPT, "%s: it has no checksum: the file is damaged", path);
    if (st == PAL_OK)
        st = tensors_get_items(t, out, err);
    tensors_close(t);
    return st;
}

/* DIR/als.safetensors */
static enum pal_status model_path(char *path, const char *dir, const char *name,
                                  struct pal_error *err)
{
    char file[VERSION_NAME + sizeof SUFFIX];
    int n = snprintf(file, sizeof file, "%s%s", name, SUFFIX);
    if (n < 0 || (size_t)n >= sizeof file)
        return pal_fail(err, PAL_EUSAGE, "the model's name '%s' is too long", name);
    return file_join(path, PATH_MAX, dir, file, err);
}

/* Sets key to value unless value is NULL; 0 or -1. */
static int put(json_t *object, const char *key, json_t *value)
{
    return value ? json_object_set_new(object, key, value) : 0;
}

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : NULL;
}

static json_t *parsed_or_null(const char *text)
{
    return text && *text ? json_loads(text, 0, NULL) : NULL;
}

/* What a ranker says of itself; NULL for other models. */
static json_t *ranker_or_null(const struct model *m)
{
    struct str text = {0};
    if (!model_ranks(m))
        return NULL;
    ranker_describe(m, &text);
    json_t *ranker = str_ok(&text) ? parsed_or_null(str_text(&text)) : NULL;
    str_done(&text);
    return ranker;
}

static json_t *describe_model(const struct version_part *part)
{
    const struct model_ops *ops = part->model->ops;
    struct str options = {0};
    model_options_json(ops, part->model->options, &options);
    json_t *m = str_ok(&options) ? json_pack("{s:s, s:s+, s:I, s:f}", "name", ops->name, "file",
                                             ops->name, SUFFIX, "seed", (json_int_t)part->card.seed,
                                             "train_seconds", part->card.train_seconds)
                                 : NULL;
    if (m && (put(m, "options", parsed_or_null(str_text(&options))) ||
              put(m, "metrics", parsed_or_null(part->card.metrics_json)) ||
              put(m, "ranker", ranker_or_null(part->model)))) {
        json_decref(m);
        m = NULL;
    }
    str_done(&options);
    return m;
}

/* The whole manifest, or NULL when memory is out. */
static json_t *describe(const struct items *items, const struct version_part *parts, size_t count)
{
    const struct model_card *card = &parts[0].card;
    char fingerprint[24];
    snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, card->fingerprint);
    json_t *all =
        json_pack("{s:s, s:I, s:s, s:I, s:I, s:[]}", "palate", PALATE_VERSION, "created_s",
                  (json_int_t)card->created_s, "fingerprint", fingerprint, "interactions",
                  (json_int_t)card->interactions, "items", (json_int_t)items->ids.count, "models");
    if (!all)
        return NULL;
    int bad = put(all, "data", text_or_null(card->data)) ||
              put(all, "weights", text_or_null(card->weights));
    for (size_t i = 0; i < count && !bad; i++)
        bad = json_array_append_new(json_object_get(all, "models"), describe_model(&parts[i]));
    if (bad) {
        json_decref(all);
        return NULL;
    }
    return all;
}

static enum pal_status write_manifest(const char *dir, const struct items *items,
                                      const struct version_part *parts, size_t count,
                                      struct pal_error *err)
{
    char path[PATH_MAX];
    struct file_out *f = NULL;
    enum pal_status st = file_join(path, sizeof path, dir, MANIFEST, err);
    if (st != PAL_OK)
        return st;
    json_t *all = describe(items, parts, count);
    char *text = all ? json_dumps(all, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;
    json_decref(all);
    if (!text)
        return pal_no_memory(err);
    st = file_create(path, &f, err);
    if (st == PAL_OK)
        st = file_write(f, text, strlen(text), err);
    if (st == PAL_OK)
        st = file_write(f, "\n", 1, err);
    if (st == PAL_OK) {
        st = file_commit(f, err);
        f = NULL;
    }
    file_abandon(f);
    free(text);
    return st;
}

static enum pal_status check_parts(const struct version_part *parts, size_t count,
                                   struct pal_error *err)
{
    if (count == 0 || count > VERSION_MODELS)
        return pal_fail(err, PAL_EUSAGE, "a version holds 1 to %d models, not %zu", VERSION_MODELS,
                        count);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(parts[i].model->ops->name, parts[j].model->ops->name) == 0)
                return pal_fail(err, PAL_EUSAGE, "a version holds one model of a kind: '%s' twice",
                                parts[i].model->ops->name);
    return PAL_OK;
}

enum pal_status version_write(const char *dir, const struct items *items,
                              const struct version_part *parts, size_t count, struct pal_error *err)
{
    char path[PATH_MAX];
    enum pal_status st = check_parts(parts, count, err);
    if (st == PAL_OK)
        st = file_join(path, sizeof path, dir, CATALOG, err);
    if (st == PAL_OK)
        st = catalog_write(items, path, err);
    for (size_t i = 0; i < count && st == PAL_OK; i++) {
        st = model_path(path, dir, parts[i].model->ops->name, err);
        if (st == PAL_OK)
            st = model_save(parts[i].model, &parts[i].card, path, err);
    }
    return st == PAL_OK ? write_manifest(dir, items, parts, count, err) : st;
}

enum pal_status version_load(const char *dir, const char *name, struct model **out,
                             struct pal_error *err)
{
    char path[PATH_MAX];
    struct model *m = NULL;
    enum pal_status st = model_path(path, dir, name, err);
    if (st == PAL_OK)
        st = ranker_find(name) ? ranker_load(path, &m, err) : model_load(path, &m, err);
    if (st != PAL_OK)
        return st;
    if (strcmp(m->ops->name, name) != 0) {
        st = pal_fail(err, PAL_ECORRUPT,
                      "%s holds a model '%s': give the file back its own name, or train again",
                      path, m->ops->name);
        model_free(m);
        return st;
    }
    *out = m;
    return PAL_OK;
}

size_t version_attach(struct model *const *models, size_t count, struct pal_error *err)
{
    size_t attached = 0;
    for (size_t i = 0; i < count; i++)
        if (model_ranks(models[i]))
            attached +=
                ranker_attach(models[i], (const struct model *const *)models, count, err) == PAL_OK;
    return attached;
}

/* A name as models have them, so that it can be put into a path. */
static bool plain_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return len > 0 && len < VERSION_NAME && !name[len];
}

static enum pal_status read_names(const json_t *all, const char *path, struct version_names *out,
                                  struct pal_error *err)
{
    const json_t *models = json_object_get(all, "models");
    size_t count = json_array_size(models);
    if (count == 0 || count > VERSION_MODELS)
        return pal_fail(err, PAL_ECORRUPT, "%s is damaged: it should list 1 to %d models", path,
                        VERSION_MODELS);
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_object_get(json_array_get(models, i), "name"));
        if (!name || !plain_name(name))
            return pal_fail(err, PAL_ECORRUPT, "%s is damaged: model %zu has no proper name", path,
                            i + 1);
        for (size_t j = 0; j < i; j++)
            if (strcmp(out->name[j], name) == 0)
                return pal_fail(err, PAL_ECORRUPT, "%s is damaged: it lists '%s' twice", path,
                                name);
        memcpy(out->name[i], name, strlen(name) + 1);
    }
    out->count = count;
    out->created_s = json_integer_value(json_object_get(all, "created_s"));
    return PAL_OK;
}

enum pal_status version_models(const char *dir, struct version_names *out, struct pal_error *err)
{
    char path[PATH_MAX];
    struct file_map text;
    json_error_t where;
    struct version_names names;
    enum pal_status st = file_join(path, sizeof path, dir, MANIFEST, err);
    if (st == PAL_OK)
        st = file_map(path, &text, err);
    if (st != PAL_OK)
        return st;
    json_t *all = json_loadb(text.data, text.size, 0, &where);
    file_unmap(&text);
    if (!all)
        return pal_fail(err, PAL_ECORRUPT, "%s is damaged: line %d: %s", path, where.line,
                        where.text);
    st = read_names(all, path, &names, err);
    json_decref(all);
    if (st == PAL_OK)
        *out = names;
    return st;
}
