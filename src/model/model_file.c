/* Models as safetensors files: the algorithm's tensors and the item ids, with name, options and
 * card as metadata. A file is only believed if its checksum holds; see data/tensors.h. */
#include "model/model.h"
#include "model/models.h"

#include "base/mem.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

void model_options_json(const struct model_ops *ops, const void *options, struct str *out)
{
    str_char(out, '{');
    for (size_t i = 0; i < ops->options.count; i++) {
        const struct opt *row = &ops->options.rows[i];
        str_fmt(out, "%s\"%s\":", i ? "," : "", row->name);
        bool quote = row->kind == OPT_CHOICE;
        str_put(out, quote ? "\"" : "");
        opt_show(row, options, out);
        str_put(out, quote ? "\"" : "");
    }
    str_char(out, '}');
}

/* One option out of JSON: any plain value, as text. */
static enum pal_status set_from_json(const struct model_ops *ops, void *options, const char *name,
                                     const json_t *value, struct pal_error *err)
{
    struct str text = {0};
    if (json_is_string(value))
        str_put(&text, json_string_value(value));
    else if (json_is_integer(value))
        str_fmt(&text, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        str_real(&text, json_real_value(value));
    else if (json_is_boolean(value))
        str_put(&text, json_is_true(value) ? "true" : "false");
    enum pal_status st =
        str_ok(&text) ? model_set(ops, options, name, str_text(&text), err) : pal_no_memory(err);
    str_done(&text);
    return st;
}

static enum pal_status options_from_json(const struct model_ops *ops, void *options,
                                         const char *text, struct pal_error *err)
{
    const char *name;
    json_t *value, *object = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    enum pal_status st = PAL_OK;
    if (!json_is_object(object))
        st = pal_fail(err, PAL_ECORRUPT, "its options are not a JSON object");
    json_object_foreach(object, name, value) if (st == PAL_OK) st =
        set_from_json(ops, options, name, value, err);
    json_decref(object);
    return st == PAL_EUSAGE ? PAL_ECORRUPT : st;
}

/* The card as a JSON object; NULL when memory is out or metrics_json is none. */
static json_t *card_object(const struct model *m, const struct model_card *card)
{
    char fingerprint[32];
    json_t *metrics = json_object();
    if (card->metrics_json) {
        json_decref(metrics);
        metrics = json_loads(card->metrics_json, JSON_REJECT_DUPLICATES, NULL);
    }
    if (!json_is_object(metrics)) {
        json_decref(metrics);
        return NULL;
    }
    snprintf(fingerprint, sizeof fingerprint, "%016llx", (unsigned long long)card->fingerprint);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:f, s:I, s:o}", "model", m->ops->name,
        "title", m->ops->title, "paper", m->ops->paper ? m->ops->paper : "", "data",
        card->data ? card->data : "", "fingerprint", fingerprint, "weights",
        card->weights ? card->weights : "", "items", (json_int_t)m->ids.count, "interactions",
        (json_int_t)card->interactions, "seed", (json_int_t)card->seed, "train_seconds",
        card->train_seconds, "created_s", (json_int_t)card->created_s, "metrics", metrics);
}

static enum pal_status write_card(const struct model *m, const struct model_card *card,
                                  struct str *out, struct pal_error *err)
{
    json_t *object = card_object(m, card);
    if (!object)
        return pal_fail(err, PAL_EUSAGE,
                        "the model card can't be written: its metrics must be a JSON object and "
                        "its texts UTF-8");
    size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(10);
    size_t len = json_dumpb(object, NULL, 0, flags);
    char *text = mem_alloc(len + 1, 1);
    if (text) {
        json_dumpb(object, text, len, flags);
        str_add(out, text, len);
    }
    bool ok = text && str_ok(out);
    mem_free(text);
    json_decref(object);
    return ok ? PAL_OK : pal_no_memory(err);
}

static enum pal_status describe(const struct model *m, const struct str *card,
                                struct tensors_out *out, struct pal_error *err)
{
    struct str options = {0};
    model_options_json(m->ops, m->options, &options);
    enum pal_status st = str_ok(&options) ? PAL_OK : pal_no_memory(err);
    const char *pairs[][2] = {{"palate.model", m->ops->name},
                              {"palate.options", str_text(&options)},
                              {"palate.card", str_text(card)},
                              {"palate.version", PALATE_VERSION}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0] && st == PAL_OK; i++)
        st = tensors_meta(out, pairs[i][0], pairs[i][1], err);
    str_done(&options);
    return st;
}

enum pal_status model_save(struct model *m, const struct model_card *card, const char *path,
                           struct pal_error *err)
{
    static const struct model_card blank;
    struct str text = {0};
    struct tensors_out out = {0};
    enum pal_status st = write_card(m, card ? card : &blank, &text, err);
    if (st == PAL_OK)
        st = describe(m, &text, &out, err);
    if (st == PAL_OK)
        st = tensors_add_intern(&out, "items", &m->ids, err);
    if (st == PAL_OK)
        st = m->ops->save(m, &out, err);
    if (st == PAL_OK)
        st = tensors_write(&out, path, err);
    if (st == PAL_OK) {
        struct str old = m->card;
        m->card = text;
        text = old;
    }
    tensors_out_done(&out);
    str_done(&text);
    return st;
}

/* What the file says of itself, but for the tensors. */
static enum pal_status load_frame(struct model *m, const struct tensors *file,
                                  struct pal_error *err)
{
    const char *card = tensors_get_meta(file, "palate.card");
    enum pal_status st =
        options_from_json(m->ops, m->options, tensors_get_meta(file, "palate.options"), err);
    if (st != PAL_OK)
        return pal_within(err, st, "%s", tensors_path(file));
    str_put(&m->card, card ? card : "{}");
    if (!str_ok(&m->card))
        return pal_no_memory(err);
    return tensors_get_intern(file, "items", &m->ids, err);
}

static enum pal_status find_ops(const struct tensors *file, model_find_fn *find,
                                const struct model_ops **ops, struct pal_error *err)
{
    const char *name = tensors_get_meta(file, "palate.model");
    const char *version = tensors_get_meta(file, "palate.version");
    if (!name || !tensors_checked(file))
        return pal_fail(err, PAL_ECORRUPT, "%s is not a model of palate's, or it is damaged",
                        tensors_path(file));
    *ops = find(name);
    if (*ops)
        return PAL_OK;
    return pal_fail(
        err, PAL_EUNSUPPORTED,
        "%s holds a '%s' model, written by palate %s: this is palate %s, which has none",
        tensors_path(file), name, version ? version : "of unknown version", PALATE_VERSION);
}

enum pal_status model_load(const char *path, struct model **out, struct pal_error *err)
{
    return model_load_by(path, model_find, out, err);
}

enum pal_status model_load_by(const char *path, model_find_fn *find, struct model **out,
                              struct pal_error *err)
{
    struct tensors *file;
    const struct model_ops *ops;
    struct model *m = NULL;
    enum pal_status st = tensors_open(path, &file, err);
    if (st != PAL_OK)
        return st;
    st = find_ops(file, find, &ops, err);
    if (st == PAL_OK && !(m = model_make(ops, NULL)))
        st = pal_no_memory(err);
    if (st != PAL_OK) {
        tensors_close(file);
        return st;
    }
    m->file = file;
    st = load_frame(m, file, err);
    if (st == PAL_OK)
        st = ops->load(m, file, err);
    if (st != PAL_OK) {
        model_free(m);
        return st;
    }
    *out = m;
    return PAL_OK;
}
