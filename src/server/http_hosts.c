/* Which names a server without keys goes by. A page of any site can have its own name lead to
 * 127.0.0.1 after it was loaded (DNS rebinding); to the browser this server is then a part of that
 * site, and the page may read and change everything. Its name gives it away: it stands in Host.
 *
 * An address in numbers can't be made to lead elsewhere, and localhost isn't looked up. */
#include "server/http_inner.h"

#include "base/text.h"

#include <string.h>
#include <strings.h>

/* Without the port: "name", "10.0.0.1", "[::1]". */
static const char *name_end(const char *host)
{
    const char *end = *host == '[' ? strchr(host, ']') : NULL;
    return end ? end + 1 : host + strcspn(host, ":");
}

static bool is_address(const char *p, const char *end)
{
    size_t len = (size_t)(end - p), dots = 0;
    if (*p == '[')
        return strspn(p, "[]:.0123456789abcdefABCDEF") >= len;
    for (const char *at = p; at < end; at++)
        dots += *at == '.';
    return len > 0 && dots == 3 && strspn(p, "0123456789.") >= len;
}

static bool ends_with(const char *p, const char *end, const char *word)
{
    size_t len = strlen(word);
    return (size_t)(end - p) >= len && strncasecmp(end - len, word, len) == 0;
}

/* Whether the name is in the list, with commas between. */
static bool is_listed(const char *list, const char *p, const char *end)
{
    while (list && *list) {
        size_t len = strcspn(list, ", ");
        if (len == (size_t)(end - p) && strncasecmp(list, p, len) == 0)
            return true;
        list += len + (list[len] != 0);
    }
    return false;
}

bool hosts_serve(struct http_request *r)
{
    const struct http_options *o = &r->server->o;
    const char *host = http_header(r, "Host");
    if (r->server->keys || o->insecure || !host || !*host) /* browsers send one */
        return true;
    const char *end = name_end(host);
    if (is_address(host, end) || text_is(host, end, "localhost") ||
        ends_with(host, end, ".localhost"))
        return true;
    return is_listed(o->hosts, host, end) ||
           (name_end(o->listen) - o->listen == end - host &&
            strncasecmp(o->listen, host, (size_t)(end - host)) == 0);
}
