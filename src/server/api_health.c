/* Whether the process is there, and whether it can do what its roles are for.
 *
 * A part that is away makes a process unready only where nobody has anything of it meanwhile: a
 * journal that takes nothing where events come in, a store or a stream where it does nothing but
 * carry the one into the other. Where answers go on, poorer or older, it is "degraded", and says
 * what it lacks. No reason is told here, since anybody may ask: the log and /v1/status have it. */
#include "server/api_inside.h"

struct part {
    const char *name; /* as in "lacks" */
    bool away;
    bool needed; /* without it the process is not ready */
    const char *code, *detail;
};

enum { PARTS = 4 };

static void look(const struct live_status *s, struct part out[PARTS])
{
    const struct live_stream *x = &s->stream;
    bool answers = s->roles & ROLE_RECS, takes = s->roles & ROLE_COLLECTOR;
    bool carries = s->roles == ROLE_PIPELINE;
    bool failing = s->journal.failing;
    out[0] = (struct part){
        "journal", failing || s->journal.full, failing ? takes : takes && !answers,
        failing ? "journal_failing" : "journal_full",
        failing ? s->journal.error.message : "the journal is full: what it leads to takes nothing"};
    out[1] = (struct part){"store",
                           s->store_away || s->follow.failing || x->store_failing ||
                               (s->store_failing && !x->publishes),
                           carries, "store_away", "the store is away: see the log for the reason"};
    out[2] =
        (struct part){"stream",
                      x->there && (!x->bus.connected || (x->failing && !x->store_failing) ||
                                   (s->store_failing && x->publishes)),
                      carries, "stream_away", "the stream is away: see the log for the reason"};
    out[3] = (struct part){"state", s->shared.there && !s->shared.state.up, false, NULL, NULL};
}

static void say_health(struct http_request *r, const char *status, const struct part *parts)
{
    struct emit e = {.compact = true};
    emit_open(&e, NULL, '{');
    emit_string(&e, "status", status);
    if (parts) {
        emit_open(&e, "lacks", '[');
        for (size_t i = 0; i < PARTS; i++)
            if (parts[i].away)
                emit_string(&e, NULL, parts[i].name);
        emit_close(&e, ']');
    }
    emit_close(&e, '}');
    api_say(r, 200, &e);
}

void api_live(void *ctx, struct http_request *r)
{
    (void)ctx;
    say_health(r, "live", NULL);
}

void api_starting(struct http_request *r)
{
    http_set_header(r, "Retry-After", "1");
    http_problem(r, 503, "starting", "the store is waited for: see the log for the reason");
}

void api_ready(void *ctx, struct http_request *r)
{
    struct api *a = ctx;
    struct live_status s;
    struct part parts[PARTS];
    bool poorer = false;
    if (!api_is_open(a)) {
        api_starting(r);
        return;
    }
    live_status(a->live, &s);
    look(&s, parts);
    for (size_t i = 0; i < PARTS; i++) {
        if (parts[i].away && parts[i].needed) {
            http_problem(r, 503, parts[i].code, parts[i].detail);
            return;
        }
        poorer = poorer || parts[i].away;
    }
    say_health(r, poorer ? "degraded" : "ready", poorer ? parts : NULL);
}
