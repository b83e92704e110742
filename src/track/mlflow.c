/* An MLflow server, by its REST API 2.0, over libcurl.
 *
 * An experiment is found by name or made. A run is created when its first message comes; its number
 * there is remembered until it ends. Metrics, parameters and tags go in batches, artifacts through
 * the server's own proxy (mlflow-artifacts:), which is how servers keep them unless told otherwise.
 * MLflow allows no '@' in a metric's name: ndcg@10 becomes ndcg_at_10 there, as in its own names.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "track/inside.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_MS = 2000, CALL_MS = 10000, ANSWER_MOST = 1 << 20, IDS_MOST = 128 };

struct known { /* a run that the server has */
    char id[TRACK_ID], remote[IDS_MOST], artifacts[512];
};

struct mlflow {
    CURL *curl;
    struct curl_slist *headers;
    char *url, *experiment;
    char experiment_id[IDS_MOST]; /* "" = not asked for yet */
    struct known *known;
    size_t count, cap;
    bool lacks_artifacts;
    const _Atomic int64_t *deadline_ms;
    struct str answer;
    char reason[CURL_ERROR_SIZE];
};

static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
    struct mlflow *m = ctx;
    if (m->answer.len + size * count > ANSWER_MOST)
        return 0;
    str_add(&m->answer, data, size * count);
    return str_ok(&m->answer) ? size * count : 0;
}

/* Non-zero ends the call. */
static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct mlflow *m = ctx;
    (void)a, (void)b, (void)c, (void)d;
    return *m->deadline_ms && clock_wall_ms() > *m->deadline_ms;
}

static void use_credentials(struct mlflow *m)
{
    const char *user = getenv("MLFLOW_TRACKING_USERNAME");
    const char *password = getenv("MLFLOW_TRACKING_PASSWORD");
    const char *token = getenv("MLFLOW_TRACKING_TOKEN");
    if (user && *user) {
        curl_easy_setopt(m->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(m->curl, CURLOPT_USERNAME, user);
        curl_easy_setopt(m->curl, CURLOPT_PASSWORD, password ? password : "");
    } else if (token && *token) {
        struct str line = {0};
        str_fmt(&line, "Authorization: Bearer %s", token);
        if (str_ok(&line))
            m->headers = curl_slist_append(m->headers, str_text(&line));
        str_done(&line);
    }
}

enum pal_status mlflow_new(const char *url, const char *experiment,
                           const _Atomic int64_t *deadline_ms, struct mlflow **out,
                           struct pal_error *err)
{
    struct mlflow *m = mem_zero(1, sizeof *m);
    if (!m)
        return pal_no_memory(err);
    m->deadline_ms = deadline_ms;
    m->url = mem_text(url, strlen(url));
    m->experiment = mem_text(experiment, strlen(experiment));
    m->curl = curl_easy_init();
    m->headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (!m->url || !m->experiment || !m->curl || !m->headers) {
        mlflow_free(m);
        return pal_no_memory(err);
    }
    use_credentials(m);
    curl_easy_setopt(m->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(m->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(m->curl, CURLOPT_TIMEOUT_MS, (long)CALL_MS);
    curl_easy_setopt(m->curl, CURLOPT_HTTPHEADER, m->headers);
    curl_easy_setopt(m->curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(m->curl, CURLOPT_WRITEDATA, m);
    curl_easy_setopt(m->curl, CURLOPT_ERRORBUFFER, m->reason);
    curl_easy_setopt(m->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(m->curl, CURLOPT_XFERINFODATA, m);
    curl_easy_setopt(m->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(m->curl, CURLOPT_USERAGENT, "palate/" PALATE_VERSION);
    *out = m;
    return PAL_OK;
}

void mlflow_free(struct mlflow *m)
{
    if (!m)
        return;
    if (m->curl)
        curl_easy_cleanup(m->curl);
    curl_slist_free_all(m->headers);
    str_done(&m->answer);
    mem_free(m->url);
    mem_free(m->experiment);
    mem_free(m->known);
    mem_free(m);
}

bool mlflow_lacks_artifacts(const struct mlflow *m)
{
    return m->lacks_artifacts;
}

/* ---- one call ---- */

struct call {
    const char *method, *path;
    const char *body; /* NULL = none */
    json_t *answer;   /* an object or NULL; the caller's */
    long status;
    char *why; /* (size) */
    size_t size;
};

static const char *error_code(const struct call *c)
{
    const char *code = json_string_value(json_object_get(c->answer, "error_code"));
    return code ? code : "";
}

/* What the answer means. Who is not let in, or finds no MLflow, may be next time. */
static enum sent judge(const struct call *c)
{
    const char *text = json_string_value(json_object_get(c->answer, "message"));
    if (c->status >= 200 && c->status < 300)
        return SENT;
    snprintf(c->why, c->size, "it answered %ld%s%.200s", c->status, text ? ": " : "",
             text ? text : "");
    if (c->status == 401 || c->status == 403)
        snprintf(c->why, c->size,
                 "it answered %ld: see MLFLOW_TRACKING_USERNAME, _PASSWORD and _TOKEN", c->status);
    bool later = c->status == 401 || c->status == 403 || c->status == 408 || c->status == 429 ||
                 c->status >= 500 || c->status < 400 || !*error_code(c);
    return later ? SENT_AWAY : SENT_REFUSED;
}

static enum sent perform(struct mlflow *m, struct call *c)
{
    struct str url = {0};
    str_fmt(&url, "%s/api/2.0/%s", m->url, c->path);
    str_clear(&m->answer);
    *m->reason = 0;
    if (!str_ok(&url)) {
        str_done(&url);
        snprintf(c->why, c->size, "out of memory");
        return SENT_AWAY;
    }
    curl_easy_setopt(m->curl, CURLOPT_URL, str_text(&url));
    curl_easy_setopt(m->curl, CURLOPT_HTTPGET, 1L);
    if (c->body) {
        curl_easy_setopt(m->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(c->body));
        curl_easy_setopt(m->curl, CURLOPT_POSTFIELDS, c->body);
    }
    curl_easy_setopt(m->curl, CURLOPT_CUSTOMREQUEST, c->method);
    /* On a connection that was used before curl sends a request once more by itself if that breaks:
     * what must not be done twice takes a new one. */
    curl_easy_setopt(m->curl, CURLOPT_FRESH_CONNECT, strstr(c->path, "/create") ? 1L : 0L);
    CURLcode code = curl_easy_perform(m->curl);
    curl_easy_getinfo(m->curl, CURLINFO_RESPONSE_CODE, &c->status);
    str_done(&url);
    if (code) {
        const char *reason = *m->reason ? m->reason : curl_easy_strerror(code);
        if (code == CURLE_ABORTED_BY_CALLBACK)
            reason = "it did not answer in time";
        snprintf(c->why, c->size, "%s", reason);
        return SENT_AWAY;
    }
    c->answer = json_loadb(str_text(&m->answer), m->answer.len, 0, NULL);
    return judge(c);
}

/* A call with a body that is an object; frees the body. answer NULL: nobody wants it. */
static enum sent post(struct mlflow *m, const char *path, json_t *body, json_t **answer, char *why,
                      size_t size)
{
    char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(10));
    struct call c = {"POST", path, text, NULL, 0, why, size};
    json_decref(body);
    if (!text) {
        snprintf(why, size, "out of memory");
        return SENT_AWAY;
    }
    enum sent sent = perform(m, &c);
    free(text);
    if (sent == SENT && answer)
        *answer = c.answer;
    else
        json_decref(c.answer);
    return sent;
}

/* ---- experiments ---- */

static bool take_id(const json_t *value, char *out, size_t size)
{
    const char *text = json_string_value(value);
    size_t len = text ? strlen(text) : 0;
    if (!len || len >= size)
        return false;
    memcpy(out, text, len + 1);
    return true;
}

static enum sent odd_answer(char *why, size_t size)
{
    snprintf(why, size, "its answer is not MLflow's");
    return SENT_AWAY;
}

/* *missing: there is none of that name. */
static enum sent find_experiment(struct mlflow *m, bool *missing, char *why, size_t size)
{
    struct str path = {0};
    char *name = curl_easy_escape(m->curl, m->experiment, 0);
    str_fmt(&path, "mlflow/experiments/get-by-name?experiment_name=%s", name ? name : "");
    curl_free(name);
    struct call c = {"GET", str_text(&path), NULL, NULL, 0, why, size};
    enum sent sent = perform(m, &c);
    *missing = c.status == 404 && strcmp(error_code(&c), "RESOURCE_DOES_NOT_EXIST") == 0;
    const json_t *experiment = json_object_get(c.answer, "experiment");
    if (sent == SENT && !take_id(json_object_get(experiment, "experiment_id"), m->experiment_id,
                                 sizeof m->experiment_id))
        sent = odd_answer(why, size);
    json_decref(c.answer);
    str_done(&path);
    return sent;
}

static enum sent need_experiment(struct mlflow *m, char *why, size_t size)
{
    bool missing = false;
    if (*m->experiment_id)
        return SENT;
    enum sent sent = find_experiment(m, &missing, why, size);
    if (!missing)
        return sent;
    json_t *body = json_object(), *answer = NULL;
    json_object_set_new(body, "name", json_string(m->experiment));
    sent = post(m, "mlflow/experiments/create", body, &answer, why, size);
    if (sent == SENT && !take_id(json_object_get(answer, "experiment_id"), m->experiment_id,
                                 sizeof m->experiment_id))
        sent = odd_answer(why, size);
    json_decref(answer);
    if (sent == SENT_REFUSED) /* another run may have made it in between */
        sent = find_experiment(m, &missing, why, size);
    return sent;
}

/* ---- runs ---- */

static struct known *known_run(const struct mlflow *m, const json_t *id)
{
    const char *text = json_string_value(id);
    for (size_t i = 0; text && i < m->count; i++)
        if (strcmp(m->known[i].id, text) == 0)
            return &m->known[i];
    return NULL;
}

static bool remember(struct mlflow *m, const json_t *id, const json_t *remote,
                     const json_t *artifacts)
{
    struct known k = {0};
    if (!take_id(id, k.id, sizeof k.id) || !take_id(remote, k.remote, sizeof k.remote))
        return false;
    if (!take_id(artifacts, k.artifacts, sizeof k.artifacts))
        *k.artifacts = 0;
    if (mem_grow(&m->known, &m->cap, m->count + 1, sizeof *m->known))
        return false;
    m->known[m->count++] = k;
    return true;
}

int mlflow_known(const struct mlflow *m, json_t *out)
{
    int bad = 0;
    for (size_t i = 0; i < m->count; i++)
        bad |= json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:s}", "op", "known", "run",
                                                    m->known[i].id, "remote", m->known[i].remote,
                                                    "artifacts", m->known[i].artifacts));
    return bad;
}

static bool remember_info(struct mlflow *m, const json_t *message, const json_t *run)
{
    const json_t *info = json_object_get(run, "info");
    return remember(m, json_object_get(message, "run"), json_object_get(info, "run_id"),
                    json_object_get(info, "artifact_uri"));
}

/* Whether a call that was not answered made the run all the same. */
static enum sent find_run(struct mlflow *m, const json_t *message, bool *found, char *why,
                          size_t size)
{
    const char *id = json_string_value(json_object_get(message, "run"));
    json_t *body = json_object(), *ids = json_array(), *answer = NULL;
    json_array_append_new(ids, json_string(m->experiment_id));
    json_object_set_new(body, "experiment_ids", ids);
    json_object_set_new(body, "filter", json_sprintf("tags.`palate.run` = '%.16s'", id ? id : ""));
    json_object_set_new(body, "max_results", json_integer(1));
    enum sent sent = post(m, "mlflow/runs/search", body, &answer, why, size);
    const json_t *run = json_array_get(json_object_get(answer, "runs"), 0);
    *found = sent == SENT && run && remember_info(m, message, run);
    json_decref(answer);
    return sent;
}

static enum sent create_run(struct mlflow *m, const json_t *message, char *why, size_t size)
{
    bool found = false;
    enum sent sent = need_experiment(m, why, size);
    if (sent == SENT && json_is_true(json_object_get(message, "tried")))
        sent = find_run(m, message, &found, why, size);
    if (sent != SENT || found)
        return sent;
    json_t *body = json_deep_copy(json_object_get(message, "body")), *answer = NULL;
    const struct known *parent = known_run(m, json_object_get(message, "parent"));
    json_object_set_new(body, "experiment_id", json_string(m->experiment_id));
    if (parent)
        json_array_append_new(
            json_object_get(body, "tags"),
            json_pack("{s:s, s:s}", "key", "mlflow.parentRunId", "value", parent->remote));
    sent = post(m, "mlflow/runs/create", body, &answer, why, size);
    if (sent == SENT && !remember_info(m, message, json_object_get(answer, "run")))
        sent = odd_answer(why, size);
    json_decref(answer);
    return sent;
}

/* ndcg@10 as ndcg_at_10; whatever else MLflow has no place for as '_'. */
static json_t *metric_name(const char *name)
{
    struct str text = {0};
    for (; *name; name++)
        if (*name == '@')
            str_put(&text, "_at_");
        else
            str_char(&text, isalnum((unsigned char)*name) || strchr("_-. /", *name) ? *name : '_');
    json_t *out = str_ok(&text) ? json_string(str_text(&text)) : NULL;
    str_done(&text);
    return out;
}

static enum sent send_batch(struct mlflow *m, const struct known *run, const json_t *message,
                            char *why, size_t size)
{
    json_t *body = json_deep_copy(json_object_get(message, "body")), *metric;
    size_t i;
    json_array_foreach(json_object_get(body, "metrics"), i, metric)
    {
        const char *name = json_string_value(json_object_get(metric, "key"));
        json_object_set_new(metric, "key", metric_name(name ? name : ""));
    }
    json_object_set_new(body, "run_id", json_string(run->remote));
    return post(m, "mlflow/runs/log-batch", body, NULL, why, size);
}

/* "mlflow-artifacts:/0/ab12/artifacts" or "mlflow-artifacts://host/0/ab12/artifacts": the path
 * without its first slash; NULL for other schemes. */
static const char *proxied(const char *uri)
{
    static const char scheme[] = "mlflow-artifacts:";
    if (strncmp(uri, scheme, sizeof scheme - 1) != 0)
        return NULL;
    uri += sizeof scheme - 1;
    if (strncmp(uri, "//", 2) == 0)
        uri += 2 + strcspn(uri + 2, "/");
    return uri + strspn(uri, "/");
}

static enum sent send_artifact(struct mlflow *m, const struct known *run, const json_t *message,
                               char *why, size_t size)
{
    const char *name = json_string_value(json_object_get(message, "name"));
    const char *text = json_string_value(json_object_get(message, "text"));
    const char *place = proxied(run->artifacts);
    struct str path = {0};
    if (!place || !name || !text) {
        m->lacks_artifacts |= !place;
        return SENT;
    }
    char *escaped = curl_easy_escape(m->curl, name, 0);
    str_fmt(&path, "mlflow-artifacts/artifacts/%s/%s", place, escaped ? escaped : "artifact");
    curl_free(escaped);
    struct call c = {"PUT", str_text(&path), text, NULL, 0, why, size};
    enum sent sent = perform(m, &c);
    json_decref(c.answer);
    str_done(&path);
    return sent;
}

static enum sent end_run(struct mlflow *m, struct known *run, const json_t *message, char *why,
                         size_t size)
{
    json_t *body = json_deep_copy(json_object_get(message, "body"));
    json_object_set_new(body, "run_id", json_string(run->remote));
    enum sent sent = post(m, "mlflow/runs/update", body, NULL, why, size);
    if (sent == SENT)
        *run = m->known[--m->count];
    return sent;
}

enum sent mlflow_send(struct mlflow *m, json_t *message, char *why, size_t size)
{
    const char *op = json_string_value(json_object_get(message, "op"));
    struct known *run = known_run(m, json_object_get(message, "run"));
    if (!op)
        op = "";
    if (strcmp(op, "known") == 0) {
        if (!run)
            remember(m, json_object_get(message, "run"), json_object_get(message, "remote"),
                     json_object_get(message, "artifacts"));
        return SENT;
    }
    if (strcmp(op, "create") == 0)
        return run ? SENT : create_run(m, message, why, size);
    if (!run) {
        snprintf(why, size, "it has no such run");
        return SENT_REFUSED;
    }
    if (strcmp(op, "batch") == 0)
        return send_batch(m, run, message, why, size);
    if (strcmp(op, "artifact") == 0)
        return send_artifact(m, run, message, why, size);
    if (strcmp(op, "end") == 0)
        return end_run(m, run, message, why, size);
    snprintf(why, size, "'%.20s' is no message", op);
    return SENT_REFUSED;
}
