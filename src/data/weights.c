/* See weights.h. */
#include "data/weights.h"

#include "base/text.h"

#include <math.h>
#include <string.h>

const char *const weights_default =
    "like:1,dislike:-1,view:0.1,click:0.3,add_to_cart:0.5,purchase:1,"
    "rating>=4:1,rating>=3:0.2,rating:-0.2,*:1";

/* One rule out of [p, end): "type:weight" or "type>=bound:weight". */
static bool parse_rule(const char *p, const char *end, struct weight_rule *rule)
{
    const char *colon = memrchr(p, ':', (size_t)(end - p));
    double number;
    if (!colon || !text_real(colon + 1, end, &number) || fabs(number) > WEIGHT_MOST)
        return false;
    rule->weight = (float)number;
    rule->at_least = -INFINITY;
    const char *name_end = colon;
    const char *bound = memmem(p, (size_t)(colon - p), ">=", 2);
    if (bound) {
        if (!text_real(bound + 2, colon, &number))
            return false;
        rule->at_least = (float)number;
        name_end = bound;
    }
    size_t len = (size_t)(name_end - p);
    if (len == 0 || len >= EVENT_NAME)
        return false;
    memcpy(rule->type, p, len);
    rule->type[len] = 0;
    return true;
}

enum pal_status weights_parse(const char *text, struct weights *out, struct pal_error *err)
{
    struct weights w = {0};
    for (const char *p = text; *p;) {
        const char *end = strchrnul(p, ',');
        if (w.count == WEIGHT_RULES)
            return pal_fail(err, PAL_EUSAGE, "weights: more than %d rules", WEIGHT_RULES);
        if (!parse_rule(p, end, &w.rules[w.count]))
            return pal_fail(err, PAL_EUSAGE,
                            "weights: '%.*s' is not a rule: write type:weight or "
                            "type>=value:weight, such as rating>=4:1; weights are from %d to %d",
                            (int)(end - p > 80 ? 80 : end - p), p, -WEIGHT_MOST, WEIGHT_MOST);
        w.count++;
        p = *end ? end + 1 : end;
    }
    if (w.count == 0)
        return pal_fail(err, PAL_EUSAGE, "weights: no rules: write for example *:1");
    *out = w;
    return PAL_OK;
}

float weights_of(const struct weights *w, const char *type, float value)
{
    const struct weight_rule *best = NULL, *any = NULL;
    bool named = false;
    for (size_t i = 0; i < w->count; i++) {
        const struct weight_rule *r = &w->rules[i];
        bool star = strcmp(r->type, "*") == 0;
        if (!star && strcmp(r->type, type) != 0)
            continue;
        named |= !star;
        if (value < r->at_least)
            continue;
        const struct weight_rule **which = star ? &any : &best;
        if (!*which || r->at_least > (*which)->at_least)
            *which = r;
    }
    const struct weight_rule *r = named ? best : any;
    return r ? r->weight : 0;
}

enum pal_status event_type_add(struct event_types *t, const char *name, size_t len, uint8_t *number,
                               struct pal_error *err)
{
    for (size_t i = 0; i < t->count; i++)
        if (strlen(t->name[i]) == len && memcmp(t->name[i], name, len) == 0) {
            *number = (uint8_t)i;
            return PAL_OK;
        }
    if (len == 0 || len >= EVENT_NAME)
        return pal_fail(err, PAL_EUSAGE, "the event type '%.*s' is not 1 to %d bytes long",
                        (int)(len > 80 ? 80 : len), name, EVENT_NAME - 1);
    if (t->count == EVENT_TYPES)
        return pal_fail(err, PAL_EUSAGE, "more than %d event types ('%.*s' is one more)",
                        EVENT_TYPES, (int)len, name);
    memcpy(t->name[t->count], name, len);
    t->name[t->count][len] = 0;
    *number = (uint8_t)t->count++;
    return PAL_OK;
}

int event_type_rating(const struct event_types *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->name[i], "rating") == 0)
            return (int)i;
    return -1;
}
