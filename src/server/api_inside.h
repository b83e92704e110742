/* What the files of the API share. */
#ifndef SERVER_API_INSIDE_H
#define SERVER_API_INSIDE_H

#include "base/emit.h"
#include "server/api.h"
#include "server/json_in.h"
#include "server/work.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { API_BATCH_MOST = 10000, API_BODY_MOST = 16 << 20, API_PAGE_MOST = 1000, API_PAGE = 50 };

/* The answer of /v1/stats; see api_stats.c. */
enum { API_WAITING = 64 };
struct api_figures {
    pthread_mutex_t lock;
    char *text;        /* the last answer, owned; NULL = none yet */
    bool recalled;     /* it is of an earlier start */
    uint64_t position; /* of the store as of then */
    bool counting;
    struct http_request *waiting[API_WAITING]; /* (waiting_count) for the first answer */
    size_t waiting_count;
    int64_t cost_ms, done_ms; /* of the last count: how long, and when on the monotonic clock */
};

struct api {
    struct api_options options;
    atomic_bool open;  /* what follows is there */
    struct live *live; /* borrowed, as is the loop */
    struct loop *loop; /* NULL = there is none */
    _Atomic(struct http_server *) http;
    struct work *work; /* for what takes its time */
    int64_t started_ms;
    struct api_figures figures;
    pthread_mutex_t simulations_lock;
};

/* Whether there is something to answer from; and the answer as long as there is not. */
static inline bool api_is_open(struct api *a)
{
    return atomic_load_explicit(&a->open, memory_order_acquire);
}
void api_starting(struct http_request *r);

/* Has the answer of /v1/stats of an earlier start at hand. */
void api_stats_recall(struct api *a);

/* ---- Query parameters. Each getter is to be asked for every name that the call takes; api_query
 * then refuses others. The first failure stays in st. ---- */

struct api_query {
    struct http_request *r;
    struct pal_error *err;
    enum pal_status st;
    const char *name[16];
    size_t names;
};
const char *query_text(struct api_query *q, const char *name); /* NULL = not given */

/* An id out of the path; "" after a failure. */
const char *query_id(struct api_query *q, const char *name);
int64_t query_whole(struct api_query *q, const char *name, int64_t missing, int64_t least,
                    int64_t most);
double query_real(struct api_query *q, const char *name, double missing, double least, double most);
bool query_flag(struct api_query *q, const char *name);

/* Every value of a parameter that may be repeated; each is an id. */
const char **query_ids(struct api_query *q, const char *name, size_t *count);
MUST_USE enum pal_status query_end(struct api_query *q);

/* ---- Bodies ---- */

/* The body's JSON; *out is to be given back with json_decref. */
MUST_USE enum pal_status api_body(struct http_request *r, json_t **out, struct pal_error *err);

/* For calls that take none: PAL_EUSAGE unless the body is empty or {}. */
MUST_USE enum pal_status api_no_body(struct http_request *r, struct pal_error *err);

/* ---- Writing: submits the records; r is answered when they are durable, with the text `done`
 * (compact JSON in r's arena), or with the problem that came up. ---- */
void api_write(struct api *a, struct http_request *r, struct record *records, size_t count,
               const char *done);

/* {"accepted":N} in the request's arena; NULL when memory is out. */
const char *api_accepted(struct http_request *r, size_t count);

/* ---- Answers ---- */

void api_emit_item(struct emit *e, const char *key, const struct item_row *item);
void api_emit_event(struct emit *e, const struct event *event);
void api_emit_list(struct emit *e, const struct live_answer *a, bool details);

/* Where figures go that become JSON in e, which is inside of an array. */
struct figures;
struct figures api_figures_into(struct emit *e, struct arena *tmp);

/* A version number out of the path; PAL_EUSAGE if it is none. */
MUST_USE enum pal_status api_version(struct http_request *r, uint32_t *out, struct pal_error *err);

/* Answers with what was written, or says that memory is out. */
void api_say(struct http_request *r, unsigned status, struct emit *e);

/* The handlers, by file. */
http_handler api_add_events, api_user_events;                           /* api_events.c */
http_handler api_list_items, api_put_items, api_put_item, api_get_item, /* api_items.c */
    api_delete_item;
http_handler api_put_user, api_get_user, api_delete_user; /* api_users.c */
http_handler api_recommend, api_recommend_for, api_similar, api_popular, api_trending,
    api_rank;                                                               /* api_lists.c */
http_handler api_models, api_activate, api_reload, api_train, api_training; /* api_models.c */
http_handler api_report;                                                    /* api_report.c */
http_handler api_runs;                                                      /* api_runs.c */
http_handler api_live, api_ready;                                           /* api_health.c */
http_handler api_metrics, api_status;                                       /* api_operations.c */
http_handler api_stats;                                                     /* api_stats.c */
http_handler api_simulations, api_add_simulation;                           /* api_simulations.c */
http_handler api_add_items_classic, api_interact, api_recs, api_cleanup;    /* api_classic.c */
http_handler api_page, api_icon, api_openapi;                               /* api_page.c */

#endif
