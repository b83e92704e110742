/* See kafka_place.h. */
#include "bus/kafka_place.h"

#include "base/mem.h"
#include "base/scheme.h"
#include "bus/bus.h"
#include "bus/query.h"

#include <stdio.h>
#include <string.h>

#define ROW(field, kind, initial, min, max, choices, help)                                         \
    {                                                                                              \
#field, kind, offsetof(struct kafka_place, field), initial, min, max, OPT_LINEAR, choices, \
            help                                                                                   \
    }

static const struct opt rows[] = {
    ROW(group, OPT_TEXT, "palate", 0, 0, "NAME", "of the receivers that share the topic"),
    ROW(partitions, OPT_INT, "4", 1, BUS_SHARDS_MOST, NULL, "of the topic, where it is made"),
    ROW(replication, OPT_INT, "0", 0, 64, NULL, "copies of each; 0: as the broker likes"),
};
static const struct opt_table table = {rows, sizeof rows / sizeof *rows};

/* Properties of librdkafka that don't touch what bus.h promises. */
static const char *const allowed[] = {
    "security.", "sasl.", "ssl.", "socket.", "broker.", "client.", "compression.", "session.",
};

enum { TOPIC_MOST = 240 };

static enum pal_status take_word(struct kafka_place *p, const char *name, const char *value,
                                 struct pal_error *err)
{
    bool ok = false;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        ok |= strncmp(name, allowed[i], strlen(allowed[i])) == 0;
    if (!ok)
        return pal_fail(err, PAL_EUSAGE,
                        "'%.80s' can't be set here; what can begins with security., sasl., ssl., "
                        "socket., broker., client., compression. or session.",
                        name);
    if (p->words == KAFKA_WORDS_MOST)
        return pal_fail(err, PAL_EUSAGE, "more than %d properties", KAFKA_WORDS_MOST);
    p->word[p->words++] = (struct kafka_word){name, value};
    return PAL_OK;
}

static enum pal_status read_query(struct kafka_place *p, char *query, struct pal_error *err)
{
    char *name, *value;
    bool bad;
    enum pal_status st = PAL_OK;
    while (!st && query_next(&query, &name, &value, &bad))
        st = strchr(name, '.') ? take_word(p, name, value, err)
                               : opt_set(&table, p, name, value, err);
    if (!st && bad)
        st = query_broken(err);
    if (!st && !*p->group)
        st = pal_fail(err, PAL_EUSAGE, "group= needs a name");
    return st ? pal_within(err, st, "stream '%s'", p->shown) : PAL_OK;
}

static bool is_topic(const char *name)
{
    size_t len = strlen(name);
    size_t plain =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return len && len <= TOPIC_MOST && plain == len && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

/* "kafka://hosts/topic", which is ours. */
static enum pal_status read_address(struct kafka_place *p, struct pal_error *err)
{
    char *hosts = strncmp(p->url, "kafka://", 8) == 0 ? p->url + 8 : NULL;
    char *slash = hosts ? strchr(hosts, '/') : NULL;
    if (!slash || slash == hosts)
        return pal_fail(err, PAL_EUSAGE,
                        "stream '%s': expected kafka://HOST:PORT[,HOST:PORT…]/TOPIC[?group=…]",
                        p->shown);
    *slash = '\0';
    if (strchr(hosts, '@'))
        return pal_fail(err, PAL_EUSAGE,
                        "stream '%s': user and password stand behind the topic: "
                        "?security.protocol=sasl_ssl&sasl.mechanism=PLAIN&sasl.username=…"
                        "&sasl.password=…",
                        p->shown);
    p->hosts = hosts;
    p->topic = slash + 1;
    if (!is_topic(p->topic))
        return pal_fail(err, PAL_EUSAGE,
                        "stream '%s': behind the '/' stands the name of a topic: up to %d letters, "
                        "digits, '.', '_' and '-'",
                        p->shown, TOPIC_MOST);
    snprintf(p->dead, sizeof p->dead, "%s.dead", p->topic);
    return PAL_OK;
}

enum pal_status kafka_place_read(const char *url, struct kafka_place *out, struct pal_error *err)
{
    struct kafka_place p = {0};
    opt_defaults(&table, &p);
    scheme_copy(p.shown, sizeof p.shown, url);
    size_t len = strcspn(url, "?");
    p.url = mem_text(url, len);
    p.query = mem_text(url + len, strlen(url + len));
    enum pal_status st = p.url && p.query ? read_address(&p, err) : pal_no_memory(err);
    if (!st)
        st = read_query(&p, p.query + (*p.query == '?'), err);
    if (st)
        kafka_place_done(&p);
    else
        *out = p;
    return st;
}

void kafka_place_done(struct kafka_place *p)
{
    mem_free(p->url);
    mem_free(p->query);
    *p = (struct kafka_place){0};
}
