/* See state.h: finds the kind of server by the URL and passes everything on to it. */
#include "state/backend.h"

static struct scheme_kinds kinds = {.what = "state"};

#define FIELD(name) offsetof(struct state_options, name)
static const struct opt rows[] = {
    {"timeout_ms", OPT_INT, FIELD(timeout_ms), "100", 1, 60000, OPT_LOG, NULL,
     "milliseconds that anybody waits for the shared state at most"},
    {"connections", OPT_INT, FIELD(connections), "16", 1, 256, OPT_LOG2, NULL,
     "connections to it at most"},
    {"missed", OPT_INT, FIELD(missed), "10000", 1, 1e7, OPT_LOG, NULL,
     "users remembered whose events it missed while it was away; past that all are read anew"},
    {"ttl_days", OPT_REAL, FIELD(ttl_days), "30", 0, 3650, OPT_LINEAR, NULL,
     "after how many days in which they did nothing users go from it; 0 = they stay"},
};
#undef FIELD
const struct opt_table state_option_table = {rows, sizeof rows / sizeof *rows};

const double state_bucket_s[STATE_BUCKETS] = {25e-6, 50e-6, 100e-6, 200e-6, 400e-6, 1e-3,
                                              2e-3,  5e-3,  10e-3,  25e-3,  50e-3,  100e-3};

void state_add_kind(const struct state_ops *ops)
{
    scheme_add(&kinds, &ops->kind);
}

enum pal_status state_open(const char *url, const struct state_options *o, size_t keep,
                           struct state **out, struct pal_error *away, struct pal_error *err)
{
    const struct scheme_kind *kind;
    enum pal_status st = scheme_find(&kinds, url, &kind, err);
    return st ? st : ((const struct state_ops *)kind)->open(url, o, keep, out, away, err);
}

void state_close(struct state *s)
{
    if (s)
        s->ops->close(s);
}

enum pal_status state_mend(struct state *s, struct pal_error *err)
{
    return s->ops->mend(s, err);
}

enum pal_status state_look(struct state *s, const char *user_id, const struct state_version *known,
                           struct arena *tmp, struct state_view *out, struct pal_error *err)
{
    return s->ops->look(s, user_id, known, tmp, out, err);
}

enum pal_status state_fill(struct state *s, const char *user_id, uint64_t token,
                           const struct event *events, size_t count, bool *filled,
                           struct pal_error *err)
{
    return s->ops->fill(s, user_id, token, events, count, filled, err);
}

enum pal_status state_add(struct state *s, const struct event *const *events, size_t count,
                          bool known_only, struct pal_error *err)
{
    return count ? s->ops->add(s, events, count, known_only, err) : PAL_OK;
}

enum pal_status state_show(struct state *s, const struct state_shown *shown, size_t count,
                           struct arena *tmp, struct state_before *before, struct pal_error *err)
{
    return count ? s->ops->show(s, shown, count, tmp, before, err) : PAL_OK;
}

enum pal_status state_erase(struct state *s, const char *const *users, size_t count, bool stored,
                            struct pal_error *err)
{
    return count ? s->ops->erase(s, users, count, stored, err) : PAL_OK;
}

enum pal_status state_doubt(struct state *s, const char *const *users, size_t count,
                            struct pal_error *err)
{
    return s->ops->doubt(s, users, count, err);
}

enum pal_status state_clear(struct state *s, bool counts, struct pal_error *err)
{
    return s->ops->clear(s, counts, err);
}

enum pal_status state_count_up(struct state *s, const struct state_fading *f, uint64_t generation,
                               const char *who, uint64_t batch, uint64_t seq,
                               const struct state_count *counts, size_t count, bool *taken,
                               struct pal_error *err)
{
    return s->ops->count_up(s, f, generation, who, batch, seq, counts, count, taken, err);
}

enum pal_status state_counted(struct state *s, const struct state_fading *f, const char *who,
                              uint64_t generation, uint64_t mark, size_t most, struct arena *tmp,
                              struct state_counts *out, struct pal_error *err)
{
    return s->ops->counted(s, f, who, generation, mark, most, tmp, out, err);
}

enum pal_status state_count_lock(struct state *s, const struct state_fading *f, const char *who,
                                 bool *mine, struct pal_error *err)
{
    return s->ops->count_lock(s, f, who, mine, err);
}

enum pal_status state_count_put(struct state *s, const struct state_fading *f, const char *who,
                                uint64_t batch, uint64_t seq, const struct state_count *counts,
                                size_t count, bool last, uint64_t *generation,
                                struct pal_error *err)
{
    return s->ops->count_put(s, f, who, batch, seq, counts, count, last, generation, err);
}

void state_status(struct state *s, struct state_status *out)
{
    s->ops->status(s, out);
}
