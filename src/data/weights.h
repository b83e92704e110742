/* What an event is worth: the rules that turn (type, value) into one signed weight.
 *
 *     like:1,dislike:-1,view:0.1,rating>=4:1,rating>=3:0.2,rating:-0.2,*:1
 *
 * For each event the rule with its type and the highest bound that its value reaches applies; "*"
 * stands for every type that no other rule names. A positive weight trains as a preference, a
 * negative one as a dislike, 0 is left out of training (but still marks the item as seen). */
#ifndef DATA_WEIGHTS_H
#define DATA_WEIGHTS_H

#include "base/error.h"

enum { WEIGHT_RULES = 32, EVENT_TYPES = 64, EVENT_NAME = 32 };

/* So that the sums of models stay finite over more events than there can be. */
enum { WEIGHT_MOST = 1000000 };

struct weight_rule {
    char type[EVENT_NAME];
    float at_least; /* -INFINITY when the rule names no bound */
    float weight;   /* from -WEIGHT_MOST to WEIGHT_MOST */
};

struct weights {
    size_t count;
    struct weight_rule rules[WEIGHT_RULES];
};

/* The names of a data set's event types, by the number that interactions hold. */
struct event_types {
    size_t count;
    char name[EVENT_TYPES][EVENT_NAME];
};

/* The rules that apply where nobody says otherwise. */
extern const char *const weights_default; /* "like:1,dislike:-1,view:0.1,add_to_cart:0.5,…" */

/* PAL_EUSAGE names the rule that can't be read or whose weight is out of range. */
MUST_USE enum pal_status weights_parse(const char *text, struct weights *out,
                                       struct pal_error *err);

float weights_of(const struct weights *w, const char *type, float value);

/* The number of a type, added if it is new; PAL_EUSAGE past EVENT_TYPES or for a long name. */
MUST_USE enum pal_status event_type_add(struct event_types *t, const char *name, size_t len,
                                        uint8_t *number, struct pal_error *err);

/* The number of the type "rating", whose values are stars; -1: there is none. */
int event_type_rating(const struct event_types *t);

#endif
