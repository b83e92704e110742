/* The learning loop over the running recommender (see loop.h). */
#include "engine/loop_inside.h"

static uint64_t new_events(void *ctx)
{
    struct live_status s;
    live_status(ctx, &s);
    return s.events_since_training;
}

static int64_t trained_ms(void *ctx)
{
    struct live_status s;
    live_status(ctx, &s);
    return s.trained_ms;
}

/* What the store has and what is still on its way there. */
static uint64_t all_events(void *ctx)
{
    struct live_status s;
    struct store_counts counts = {0};
    struct pal_error ignored;
    live_status(ctx, &s);
    if (store_counts(live_store(ctx), &counts, &ignored) != PAL_OK)
        counts.events = 0; /* away: the training would fail, too */
    return counts.events + s.pending_events;
}

static enum pal_status reload(void *ctx, uint32_t *version, struct pal_error *err)
{
    return live_reload(ctx, version, err);
}

enum pal_status loop_start(struct live *live, const struct loop_options *o,
                           const struct live_options *paths, const char *program, live_log_fn *log,
                           void *log_ctx, struct loop **out, struct pal_error *err)
{
    struct loop_world world = {new_events, all_events, trained_ms, reload, live};
    struct loop_timing timing = {
        .look_ms = 2000,
        .timeout_ms = o->timeout_minutes * 60000,
        .grace_ms = 5000,
    };
    return loop_start_in(&world, &timing, o, paths, program, log, log_ctx, out, err);
}
