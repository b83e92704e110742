/* The rules of data/weights.h, looked up once for a data set's event types instead of by name for
 * every event. */
#ifndef MODEL_WORTH_H
#define MODEL_WORTH_H

#include "data/interactions.h"
#include "data/weights.h"

/* For each type a step function of the value: weight[i] from bound[i] on, bound[0] = -INFINITY. */
struct worth {
    struct {
        size_t count;
        float bound[WEIGHT_RULES + 1], weight[WEIGHT_RULES + 1];
    } type[EVENT_TYPES];
};

void worth_init(struct worth *w, const struct weights *rules, const struct event_types *types);

/* What weights_of says of this type and value. */
static inline float worth_of(const struct worth *w, uint8_t type, float value)
{
    size_t i = w->type[type].count - 1;
    while (i > 0 && value < w->type[type].bound[i])
        i--;
    return w->type[type].weight[i];
}

/* Events [begin, begin + n) of x: what each is worth, to weight (n). */
void worth_of_range(const struct worth *w, const struct interactions *x, uint64_t begin, size_t n,
                    float *weight);

#endif
