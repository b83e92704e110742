/* Model cards, kept from training or from the file a model came in until it is saved (again). */
#include "engine/handle.h"

#include "base/mem.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A copy of text in *out; NULL stays NULL. */
static int copy(const char *text, char **out)
{
    if (text && !(*out = mem_text(text, strlen(text))))
        return -1;
    return 0;
}

enum pal_status card_make(const struct model_card *from, struct card *out, struct pal_error *err)
{
    struct card c = {.card = *from};
    if (copy(from->data, &c.data) || copy(from->weights, &c.weights) ||
        copy(from->metrics_json, &c.metrics)) {
        card_done(&c);
        return pal_no_memory(err);
    }
    c.card.data = c.data;
    c.card.weights = c.weights;
    c.card.metrics_json = c.metrics;
    *out = c;
    return PAL_OK;
}

enum pal_status card_read(const struct model *m, struct card *out, struct pal_error *err)
{
    json_t *all = m->card.len ? json_loads(str_text(&m->card), 0, NULL) : NULL;
    const char *hex = json_string_value(json_object_get(all, "fingerprint"));
    json_t *metrics = json_object_get(all, "metrics");
    char *text = json_is_object(metrics) ? json_dumps(metrics, JSON_COMPACT) : NULL;
    struct model_card card = {
        .data = json_string_value(json_object_get(all, "data")),
        .fingerprint = hex ? strtoull(hex, NULL, 16) : 0,
        .weights = json_string_value(json_object_get(all, "weights")),
        .seed = (uint64_t)json_integer_value(json_object_get(all, "seed")),
        .metrics_json = text,
        .train_seconds = json_number_value(json_object_get(all, "train_seconds")),
        .interactions = (uint64_t)json_integer_value(json_object_get(all, "interactions")),
        .created_s = json_integer_value(json_object_get(all, "created_s")),
    };
    enum pal_status st = card_make(&card, out, err);
    free(text);
    json_decref(all);
    return st;
}

void card_done(struct card *c)
{
    mem_free(c->data);
    mem_free(c->weights);
    mem_free(c->metrics);
    memset(c, 0, sizeof *c);
}
