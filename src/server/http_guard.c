/* What two servers could read in two ways is refused before anything else is looked at: a request's
 * head must be what RFC 9112 says, or it gets 400 and the connection ends, so that nothing of what
 * follows is taken for another request.
 *
 * libmicrohttpd before 0.9.77 is a tolerant parser: it takes a line feed alone for the end of a
 * line, joins folded lines (wrongly), stops at NUL bytes, and keeps a name with blanks before its
 * colon as a name of another header. It leaves no trace of that in what it hands out, but it parses
 * in place, writing NULs over colons and line ends. So the head lies there still, from its method
 * to the last line's end, and can be walked: each header must begin right where the one before
 * ended with two overwritten bytes (a CR and an LF), and all of it must be as long as the head was.
 *
 * (Its own strict mode is left off there: it answers a missing Host with a head sent twice.)
 *
 * What can't be seen here: bytes that are skipped before the request line if they begin with a NUL,
 * and how the lines within a chunked body ended. Version 0.9.77 and later refuse both. */
#include "server/http_inner.h"

#include "base/text.h"

#include <string.h>

struct head {
    const char *at; /* where the next header's name must begin; NULL: not checked */
    const char *length, *encoding, *host, *expect, *content_encoding;
    unsigned hosts, lengths, encodings;
    const char *wrong;
};

static bool is_token(const char *p, size_t len)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < len; i++) {
        char c = p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (!c || !strchr(marks, c)))
            return false;
    }
    return len > 0;
}

static bool has_control(const char *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7F)
            return true;
    return false;
}

/* Between a name and its value lie the overwritten colon and blanks, behind the value the
 * overwritten CR and LF; then comes the next name. */
static bool follows(struct head *h, const char *name, size_t name_len, const char *value,
                    size_t value_len)
{
    if (name != h->at || value <= name + name_len || name[name_len] != 0)
        return false;
    for (const char *p = name + name_len + 1; p < value; p++)
        if (*p != ' ' && *p != '\t')
            return false;
    if (value[value_len] != 0 || value[value_len + 1] != 0)
        return false;
    h->at = value + value_len + 2;
    return true;
}

static enum MHD_Result look(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_len,
                            const char *value, size_t value_len)
{
    struct head *h = ctx;
    const char *end = name + name_len;
    if (!value)
        value = "";
    if (!is_token(name, name_len))
        h->wrong = "a header's name has a character that none may have";
    else if (has_control(value, value_len))
        h->wrong = "a header's value has a control character";
    else if (h->at && !follows(h, name, name_len, value, value_len))
        h->wrong = "a header line is folded, ends without CR LF, or holds a NUL";
    else if (text_is(name, end, "Host")) {
        h->hosts++;
        h->host = value;
    } else if (text_is(name, end, "Content-Length")) {
        h->lengths++;
        h->length = value;
    } else if (text_is(name, end, "Transfer-Encoding")) {
        h->encodings++;
        h->encoding = value;
    } else if (text_is(name, end, "Expect"))
        h->expect = value;
    return h->wrong ? MHD_NO : MHD_YES;
}

static bool is_host(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || strchr("/@,\\?#<>\"", *s))
            return false;
    return true;
}

static bool is_number(const char *s)
{
    size_t len = strlen(s);
    return len > 0 && len <= 18 && strspn(s, "0123456789") == len;
}

static const char *check_framing(const struct head *h, const char *version)
{
    bool old = strcmp(version, "HTTP/1.0") == 0;
    if (h->hosts > 1 || (h->hosts == 0 && !old))
        return h->hosts ? "there is more than one Host header" : "there is no Host header";
    if (h->host && !is_host(h->host))
        return "the Host header is no host";
    if (h->lengths > 1)
        return "there is more than one Content-Length header";
    if (h->encodings > 1)
        return "there is more than one Transfer-Encoding header";
    if (h->lengths && h->encodings)
        return "there are both Content-Length and Transfer-Encoding";
    if (h->encodings && old)
        return "HTTP/1.0 has no Transfer-Encoding";
    if (h->encodings && !text_is(h->encoding, h->encoding + strlen(h->encoding), "chunked"))
        return "the only Transfer-Encoding here is chunked";
    if (h->lengths && !is_number(h->length))
        return "the Content-Length is no whole number";
    return NULL;
}

/* The request line in place: "METHOD\0target\0HTTP/1.1\0\0". libmicrohttpd cuts the target at '?'
 * and leaves the rest, which serve_line has copied. */
static const char *check_line(const struct http_request *r, const char *method, const char *version,
                              bool in_place)
{
    const struct call *c = &r->call;
    if (!is_token(method, strlen(method)) || strlen(method) >= sizeof c->method_name)
        return "the method is no word";
    if (has_control(c->target, c->target_len) || memchr(c->target, ' ', c->target_len) ||
        memchr(c->target, '\t', c->target_len) || memchr(c->target, '#', c->target_len))
        return "the URL has a blank, a control character or a '#'";
    if (in_place &&
        (c->raw != method + strlen(method) + 1 || version != c->raw + c->target_len + 1))
        return "the request line is not METHOD, URL and version with one blank between";
    return NULL;
}

/* "http://host/path" is as good as "/path" if it names the host that the request is for. */
static const char *strip_host(struct call *c, const char *host)
{
    const char *p = c->target, *end = p + c->target_len;
    size_t scheme = strncasecmp(p, "http://", 7) == 0    ? 7
                    : strncasecmp(p, "https://", 8) == 0 ? 8
                                                         : 0;
    if (*p == '/' || (strcmp(p, "*") == 0 && c->method == METHOD_OPTIONS))
        return NULL;
    const char *path = scheme ? strchr(p + scheme, '/') : NULL;
    if (!path || !host || !text_is(p + scheme, path, host))
        return "the URL must begin with '/'";
    c->target = path;
    c->target_len = (size_t)(end - path);
    return NULL;
}

static size_t head_size(struct http_request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info ? info->header_size : 0;
}

static const char *check_head(struct http_request *r, const char *method, const char *version,
                              size_t size)
{
    bool in_place = r->server->loose_parser;
    const char *wrong = check_line(r, method, version, in_place);
    struct head h = {.at = in_place ? version + strlen(version) + 2 : NULL};
    if (!wrong && in_place && (version[8] != 0 || version[9] != 0))
        wrong = "a line ends without CR LF";
    if (wrong)
        return wrong;
    MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, look, &h);
    wrong = h.wrong ? h.wrong : check_framing(&h, version);
    if (!wrong && h.at && h.at + 2 != method + size)
        wrong = "a header line is folded, ends without CR LF, or holds a NUL";
    return wrong ? wrong : strip_host(&r->call, h.host);
}

const char *guard_head(struct http_request *r, const char *method, const char *version,
                       unsigned *status, const char **code)
{
    size_t size = head_size(r);
    const struct http_options *o = &r->server->o;
    const char *wrong = check_head(r, method, version, size), *expect;
    *status = 400;
    *code = "bad_request";
    if (wrong)
        return wrong;
    if (r->call.target_len > (size_t)o->url_bytes_most) {
        *status = 414;
        *code = "url_too_long";
        return "the URL is longer than this server allows";
    }
    if (size > (size_t)o->header_bytes_most) {
        *status = 431;
        *code = "headers_too_large";
        return "the headers are larger than this server allows";
    }
    expect = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Expect");
    if (expect && !text_is(expect, expect + strlen(expect), "100-continue")) {
        *status = 417;
        *code = "expectation_failed";
        return "the only Expect here is 100-continue";
    }
    return NULL;
}

bool guard_has_body(struct http_request *r, uint64_t *len)
{
    const char *length = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Content-Length");
    *len = 0;
    if (MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "Transfer-Encoding")) {
        *len = UINT64_MAX;
        return true;
    }
    return length && text_u64(length, length + strlen(length), len) && *len > 0;
}
