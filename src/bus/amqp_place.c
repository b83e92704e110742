/* See amqp_place.h: librabbitmq reads what stands before the '?', a table of options the rest. */
#include "bus/amqp_place.h"

#include "base/mem.h"
#include "base/scheme.h"
#include "bus/bus.h"
#include "bus/query.h"

#include <amqp.h>
#include <stddef.h>
#include <string.h>

#define ROW(field, kind, initial, min, max, choices, help)                                         \
    {                                                                                              \
#field, kind, offsetof(struct amqp_place, field), initial, min, max, OPT_LINEAR, choices,  \
            help                                                                                   \
    }

static const struct opt rows[] = {
    ROW(queue, OPT_TEXT, "palate", 0, 0, "NAME", "of the exchange; queues are NAME.0, NAME.1…"),
    ROW(shards, OPT_INT, "4", 1, BUS_SHARDS_MOST, NULL, "queues that keys are spread over"),
    ROW(prefetch, OPT_INT, "1000", 1, 65535, NULL,
        "messages of a shard on their way to one receiver"),
    {"heartbeat", OPT_INT, offsetof(struct amqp_place, heartbeat_s), "30", 1, 3600, OPT_LINEAR,
     NULL, "seconds after which silence means that the other side is gone"},
    {"type", OPT_CHOICE, offsetof(struct amqp_place, quorum), "classic", 0, 0, OPT_LINEAR,
     "classic|quorum", "kind of the queues"},
    ROW(ca, OPT_TEXT, NULL, 0, 0, "FILE", "certificates that the broker's is checked against"),
    ROW(cert, OPT_TEXT, NULL, 0, 0, "FILE", "certificate of the client"),
    ROW(key, OPT_TEXT, NULL, 0, 0, "FILE", "its key"),
};
static const struct opt_table table = {rows, sizeof rows / sizeof *rows};

enum { NAME_MOST = 200 };

static bool is_name(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
            return false;
    return len && len <= NAME_MOST;
}

static enum pal_status read_address(struct amqp_place *p, struct pal_error *err)
{
    struct amqp_connection_info info;
    if (amqp_parse_url(p->url, &info) != AMQP_STATUS_OK || !info.host || !*info.host)
        return pal_fail(
            err, PAL_EUSAGE,
            "stream '%s': expected amqp://[USER:PASSWORD@]HOST[:PORT]/[VHOST][?queue=…],"
            " with %%2F for a '/' in a name or password",
            p->shown);
    p->host = info.host;
    p->user = info.user;
    p->password = info.password;
    p->vhost = info.vhost && *info.vhost ? info.vhost : "/";
    p->port = info.port;
    p->tls = info.ssl;
    return PAL_OK;
}

static enum pal_status check(const struct amqp_place *p, struct pal_error *err)
{
    if (!is_name(p->queue))
        return pal_fail(err, PAL_EUSAGE, "stream '%s': queue= takes 1 to %d characters, no blanks",
                        p->shown, NAME_MOST);
    if (!p->cert != !p->key)
        return pal_fail(err, PAL_EUSAGE, "stream '%s': cert= and key= go together", p->shown);
    return PAL_OK;
}

enum pal_status amqp_place_read(const char *url, struct amqp_place *out, struct pal_error *err)
{
    struct amqp_place p = {0};
    opt_defaults(&table, &p);
    scheme_copy(p.shown, sizeof p.shown, url);
    size_t len = strcspn(url, "?");
    p.url = mem_text(url, len);
    p.query = mem_text(url + len, strlen(url + len));
    enum pal_status st = p.url && p.query ? read_address(&p, err) : pal_no_memory(err);
    if (!st)
        st = query_set(&table, &p, p.query + (*p.query == '?'), p.shown, err);
    if (!st)
        st = check(&p, err);
    if (st)
        amqp_place_done(&p);
    else
        *out = p;
    return st;
}

void amqp_place_done(struct amqp_place *p)
{
    mem_free(p->url);
    mem_free(p->query);
    *p = (struct amqp_place){0};
}
