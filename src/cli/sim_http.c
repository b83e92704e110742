/* A server for simulated users, by its classic calls, over libcurl. See sim_site.h. */
#include "base/mem.h"
#include "cli/sim_site.h"

#include <curl/curl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BATCH = 1000, TIMEOUT_S = 60, ANSWER_MOST = 16 << 20 };

struct http_site {
    struct sim_site site;
    const struct sim_world *w;
    CURL *curl;
    struct curl_slist *headers;
    char *url, *collector;    /* who answers, and who is told */
    char run[40], prefix[24]; /* before the ids of users, and of invented items */
    char reason[CURL_ERROR_SIZE];
    struct str answer;
};

static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
    struct http_site *s = ctx;
    if (s->answer.len + size * count > ANSWER_MOST)
        return 0;
    str_add(&s->answer, data, size * count);
    return str_ok(&s->answer) ? size * count : 0;
}

/* The sentence of a problem, or the answer's beginning. */
static void put_reason(struct http_site *s, char *buf, size_t size)
{
    json_t *json = json_loadb(str_text(&s->answer), s->answer.len, 0, NULL);
    const char *detail = json_string_value(json_object_get(json, "detail"));
    snprintf(buf, size, "%.300s", detail ? detail : str_text(&s->answer));
    json_decref(json);
}

/* One call to base; body NULL: GET. The answer is in s->answer. */
static enum pal_status call(struct http_site *s, const char *base, const char *path,
                            const char *body, struct pal_error *err)
{
    struct str url = {0};
    long status = 0;
    char reason[320];
    str_fmt(&url, "%s%s", base, path);
    str_clear(&s->answer);
    if (!str_ok(&url))
        return pal_no_memory(err);
    curl_easy_setopt(s->curl, CURLOPT_URL, str_text(&url));
    curl_easy_setopt(s->curl, CURLOPT_HTTPGET, 1L);
    if (body) {
        curl_easy_setopt(s->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
        curl_easy_setopt(s->curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(s->curl, CURLOPT_POST, 1L);
    }
    CURLcode code = curl_easy_perform(s->curl);
    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    enum pal_status st = PAL_OK;
    if (code)
        st = pal_fail(err, PAL_EIO, "%s: %s: is palate serve running there?", str_text(&url),
                      *s->reason ? s->reason : curl_easy_strerror(code));
    else if (status != 200) {
        put_reason(s, reason, sizeof reason);
        st = pal_fail(err, PAL_EIO, "%s answered %ld: %s", str_text(&url), status, reason);
    }
    str_done(&url);
    return st;
}

static enum pal_status post(struct http_site *s, const char *path, struct emit *e,
                            struct pal_error *err)
{
    enum pal_status st = str_ok(&e->text) ? call(s, s->collector, path, str_text(&e->text), err)
                                          : pal_no_memory(err);
    str_done(&e->text);
    return st;
}

/* The server may be somebody's, with items 1, 2, 3 of its own: invented ones get other ids. */
static void emit_item(const struct http_site *s, struct emit *e, uint32_t item)
{
    char id[320];
    snprintf(id, sizeof id, "%s%s", s->prefix, intern_text(&sim_world_items(s->w)->ids, item));
    emit_string(e, NULL, id);
}

/* INTERN_NONE for one of the server's other items. */
static uint32_t item_of(const struct http_site *s, const char *id)
{
    size_t len = strlen(s->prefix);
    if (!id || strncmp(id, s->prefix, len) != 0)
        return INTERN_NONE;
    return intern_find(&sim_world_items(s->w)->ids, id + len, strlen(id + len));
}

static enum pal_status add_items(struct sim_site *site, const struct items *items,
                                 struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (uint32_t i = 0; i < items->ids.count && !st; i += BATCH) {
        uint32_t end = i + BATCH < items->ids.count ? i + BATCH : items->ids.count;
        struct emit e = {.compact = true};
        emit_open(&e, NULL, '{');
        emit_open(&e, "item_ids", '[');
        for (uint32_t j = i; j < end; j++)
            emit_item((struct http_site *)site, &e, j);
        emit_close(&e, ']');
        emit_open(&e, "genres", '[');
        for (uint32_t j = i; j < end; j++) {
            uint32_t n;
            const uint32_t *label = labels_at(&items->categories, j, &n);
            emit_open(&e, NULL, '[');
            for (uint32_t k = 0; k < n; k++)
                emit_string(&e, NULL, intern_text(&items->categories.names, label[k]));
            emit_close(&e, ']');
        }
        emit_close(&e, ']');
        emit_close(&e, '}');
        st = post((struct http_site *)site, "/add_items", &e, err);
    }
    return st;
}

static enum pal_status recommend(struct sim_site *site, uint32_t user, size_t n, uint32_t *out,
                                 size_t *count, struct pal_error *err)
{
    struct http_site *s = (struct http_site *)site;
    char path[64];
    size_t i;
    json_t *id;
    snprintf(path, sizeof path, "/recs/%s%u", s->run, user);
    enum pal_status st = call(s, s->url, path, NULL, err);
    json_t *json = st ? NULL : json_loadb(str_text(&s->answer), s->answer.len, 0, NULL);
    json_t *ids = json_object_get(json, "item_ids");
    if (!st && !json_is_array(ids))
        st = pal_fail(err, PAL_EFORMAT, "%s%s answered no item_ids", s->url, path);
    *count = 0;
    json_array_foreach(ids, i, id)
    {
        uint32_t item = item_of(s, json_string_value(id));
        if (*count < n && item != INTERN_NONE)
            out[(*count)++] = item;
    }
    json_decref(json);
    return st;
}

static enum pal_status interact(struct sim_site *site, uint32_t user, const uint32_t *item,
                                const enum opinion *opinion, size_t count, struct pal_error *err)
{
    struct http_site *s = (struct http_site *)site;
    struct emit e = {.compact = true};
    char id[48];
    snprintf(id, sizeof id, "%s%u", s->run, user);
    emit_open(&e, NULL, '{');
    emit_string(&e, "user_id", id);
    emit_open(&e, "item_ids", '[');
    for (size_t i = 0; i < count; i++)
        emit_item(s, &e, item[i]);
    emit_close(&e, ']');
    emit_open(&e, "actions", '[');
    for (size_t i = 0; i < count; i++)
        emit_string(&e, NULL, opinion[i] == LIKES ? "like" : "dislike");
    emit_close(&e, ']');
    emit_close(&e, '}');
    return post(s, "/interact", &e, err);
}

static void done(struct sim_site *site)
{
    struct http_site *s = (struct http_site *)site;
    curl_easy_cleanup(s->curl);
    curl_slist_free_all(s->headers);
    mem_free(s->url);
    mem_free(s->collector);
    str_done(&s->answer);
    mem_free(s);
}

static const struct sim_site_ops ops = {add_items, recommend, interact, NULL, NULL, done};

enum pal_status sim_http_report(struct sim_site *site, const char *json, struct pal_error *err)
{
    struct http_site *s = (struct http_site *)site;
    return call(s, s->url, "/v1/simulations", json, err);
}

/* "Authorization: Bearer SECRET" */
static bool add_headers(struct http_site *s, const char *key)
{
    struct str line = {0};
    s->headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (s->headers && key) {
        str_fmt(&line, "Authorization: Bearer %s", key);
        struct curl_slist *more =
            str_ok(&line) ? curl_slist_append(s->headers, str_text(&line)) : NULL;
        str_done(&line);
        return more != NULL;
    }
    return s->headers != NULL;
}

static enum pal_status check_url(const char *option, const char *url, struct pal_error *err)
{
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return pal_fail(err, PAL_EUSAGE, "--%s %s: expected http://HOST:PORT", option, url);
    return PAL_OK;
}

/* Without slashes at its end; NULL when memory is out. */
static char *copy_url(const char *url)
{
    size_t len = strlen(url);
    while (len && url[len - 1] == '/')
        len--;
    return mem_text(url, len);
}

enum pal_status sim_http_new(const struct sim_world *w, const char *url, const char *collector,
                             const char *key, struct sim_site **out, struct pal_error *err)
{
    enum pal_status st = check_url("url", url, err);
    if (!st && collector)
        st = check_url("collector-url", collector, err);
    if (st)
        return st;
    struct http_site *s = mem_zero(1, sizeof *s);
    if (!s)
        return pal_no_memory(err);
    s->site = (struct sim_site){&ops, "palate"};
    s->w = w;
    /* nobody has a past: not even those of the run before, on the same server */
    snprintf(s->run, sizeof s->run, "simulated-%llx-", (unsigned long long)time(NULL));
    if (sim_world_invented(w))
        snprintf(s->prefix, sizeof s->prefix, "simulated-");
    s->url = copy_url(url);
    s->collector = copy_url(collector ? collector : url);
    s->curl = curl_easy_init();
    if (!s->url || !s->collector || !s->curl || !add_headers(s, key)) {
        done(&s->site);
        return pal_no_memory(err);
    }
    curl_easy_setopt(s->curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(s->curl, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, s->headers);
    curl_easy_setopt(s->curl, CURLOPT_ERRORBUFFER, s->reason);
    curl_easy_setopt(s->curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    curl_easy_setopt(s->curl, CURLOPT_NOSIGNAL, 1L);
    *out = &s->site;
    return PAL_OK;
}
