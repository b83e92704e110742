/* See fetch.h. */
#include "fetch/fetch.h"

#include "base/mem.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const long EXPECT_MS = 200, IDLE_S = 10, INTERVAL_S = 5;
static const int SILENCE_MS = 20000; /* that a peer may take to say that packets came */

struct fetch {
    CURL *curl;
    char reason[CURL_ERROR_SIZE];
    /* of the call that is under way */
    struct fetch_call *call;
    enum pal_status st; /* what the taker said */
    struct pal_error *err;
};

static bool is_good(long status)
{
    return status >= 200 && status < 300;
}

static size_t on_data(char *data, size_t size, size_t count, void *ctx)
{
    struct fetch *f = ctx;
    struct fetch_call *c = f->call;
    size_t n = size * count;
    curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &c->status);
    if (c->take && is_good(c->status)) {
        f->st = c->take(c->ctx, data, n, f->err);
        return f->st == PAL_OK ? n : 0;
    }
    if (c->answer.len + n > FETCH_ANSWER_MOST) {
        f->st = pal_fail(f->err, PAL_EIO, "the server's answer is longer than %d MB",
                         FETCH_ANSWER_MOST >> 20);
        return 0;
    }
    str_add(&c->answer, data, n);
    if (!str_ok(&c->answer))
        f->st = pal_no_memory(f->err);
    return f->st == PAL_OK ? n : 0;
}

/* Keeps the value of the header that is wanted. */
static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct fetch *f = ctx;
    struct fetch_call *c = f->call;
    size_t n = size * count, name = c->want ? strlen(c->want) : 0;
    if (!name || n <= name || line[name] != ':' || strncasecmp(line, c->want, name) != 0)
        return n;
    const char *p = line + name + 1, *end = line + n;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    while (end > p && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
        end--;
    if ((size_t)(end - p) < sizeof c->got) {
        memcpy(c->got, p, (size_t)(end - p));
        c->got[end - p] = 0;
    }
    return n;
}

/* Where the network is cut nobody hangs up: packets that are not acknowledged tell. */
static int on_socket(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
    (void)ctx;
    if (purpose == CURLSOCKTYPE_IPCXN)
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &SILENCE_MS, sizeof SILENCE_MS);
    return CURL_SOCKOPT_OK;
}

enum pal_status fetch_new(long connect_ms, long quiet_s, struct fetch **out, struct pal_error *err)
{
    struct fetch *f = mem_zero(1, sizeof *f);
    if (!f)
        return pal_no_memory(err);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) || !(f->curl = curl_easy_init())) {
        mem_free(f);
        return pal_no_memory(err);
    }
    curl_easy_setopt(f->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(f->curl, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    curl_easy_setopt(f->curl, CURLOPT_SOCKOPTFUNCTION, on_socket);
    curl_easy_setopt(f->curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(f->curl, CURLOPT_TCP_KEEPIDLE, IDLE_S);
    curl_easy_setopt(f->curl, CURLOPT_TCP_KEEPINTVL, INTERVAL_S);
    curl_easy_setopt(f->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(f->curl, CURLOPT_LOW_SPEED_TIME, quiet_s);
    curl_easy_setopt(f->curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(f->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(f->curl, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(f->curl, CURLOPT_ERRORBUFFER, f->reason);
    curl_easy_setopt(f->curl, CURLOPT_USERAGENT, "palate/" PALATE_VERSION);
    curl_easy_setopt(f->curl, CURLOPT_EXPECT_100_TIMEOUT_MS, EXPECT_MS);
    curl_easy_setopt(f->curl, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(f->curl, CURLOPT_UPLOAD_BUFFERSIZE, 1L << 20);
    *out = f;
    return PAL_OK;
}

void fetch_within(struct fetch *f, long ms)
{
    curl_easy_setopt(f->curl, CURLOPT_TIMEOUT_MS, ms);
}

void fetch_free(struct fetch *f)
{
    if (!f)
        return;
    curl_easy_cleanup(f->curl);
    mem_free(f);
}

/* Appends to *list; false when memory is out. */
static bool append(struct curl_slist **list, const char *header)
{
    struct curl_slist *longer = curl_slist_append(*list, header);
    if (longer)
        *list = longer;
    return longer != NULL;
}

/* Our headers. Nobody waits for "100 Continue"; but curl signs the header that says so and does not
 * send it: then it waits for a moment only. */
static bool headers_of(const struct fetch_call *c, struct curl_slist **list)
{
    bool fine = c->aws || append(list, "Expect:");
    for (size_t i = 0; fine && i < FETCH_HEADERS && c->headers[i]; i++)
        fine = append(list, c->headers[i]);
    return fine;
}

static void describe(CURL *curl, const struct fetch_call *c)
{
    bool head = strcmp(c->method, "HEAD") == 0;
    curl_easy_setopt(curl, CURLOPT_URL, c->url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, NULL);
    curl_easy_setopt(curl, CURLOPT_NOBODY, head ? 1L : 0L);
    if (c->body) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body_size);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, c->body);
    } else if (!head) {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    if (!head)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, c->method);
    curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, c->aws);
    curl_easy_setopt(curl, CURLOPT_USERNAME, c->user);
    curl_easy_setopt(curl, CURLOPT_PASSWORD, c->password);
}

enum pal_status fetch_do(struct fetch *f, struct fetch_call *c, struct pal_error *err)
{
    struct curl_slist *headers = NULL;
    if (!headers_of(c, &headers)) {
        curl_slist_free_all(headers);
        return pal_no_memory(err);
    }
    f->call = c;
    f->err = err;
    f->st = PAL_OK;
    *f->reason = 0;
    c->status = 0;
    c->got[0] = 0;
    str_clear(&c->answer);
    describe(f->curl, c);
    curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, headers);
    CURLcode code = curl_easy_perform(f->curl);
    curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &c->status);
    curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    if (f->st != PAL_OK)
        return f->st;
    if (code == CURLE_OK)
        return PAL_OK;
    return code == CURLE_OUT_OF_MEMORY
               ? pal_no_memory(err)
               : pal_fail(err, PAL_EIO, "%s", *f->reason ? f->reason : curl_easy_strerror(code));
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void fetch_escape(struct str *out, const char *text, bool keep_slashes)
{
    for (const char *p = text; *p; p++) {
        if (is_plain(*p) || (keep_slashes && *p == '/'))
            str_char(out, *p);
        else
            str_fmt(out, "%%%02X", (unsigned)(unsigned char)*p);
    }
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool fetch_unescape(char *out, size_t size, const char *p, const char *end)
{
    size_t n = 0;
    for (; p < end; p++) {
        int c = (unsigned char)*p;
        if (c == '%') {
            int high = end - p > 2 ? digit_of(p[1]) : -1, low = high < 0 ? -1 : digit_of(p[2]);
            if (low < 0)
                return false;
            c = high * 16 + low;
            p += 2;
        }
        if (c < 0x20 || c == 0x7f || n + 1 >= size)
            return false;
        out[n++] = (char)c;
    }
    out[n] = 0;
    return true;
}
