/* Connections: out of a URL, with limits on every wait; and what went wrong with one, as a sentence
 * for whoever runs the site. */
#include "base/clock.h"
#include "store/postgres.h"

#include "base/lookup.h"
#include "base/mem.h"
#include "base/scheme.h"

#include <ctype.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDLE_READERS = 8, AWAY_MS = 3000, LOOKUP_MS = 2000, OLDEST_SERVER = 120000 };

/* What the writer and the readers look up is found by keys, whatever the planner thinks of tables
 * that nobody analyzed yet; walks put this right for themselves. */
#define BY_KEY "SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off;"
static const char writer_settings[] =
    BY_KEY "SET enable_seqscan = off; SET statement_timeout = '60s'; SET lock_timeout = '30s';"
           "SET idle_in_transaction_session_timeout = '60s'; SET synchronous_commit = on;";
static const char reader_settings[] = BY_KEY "SET statement_timeout = '30s';"
                                             "SET default_transaction_read_only = on;";

/* ---- The URL ---- */

static bool is_known(const char *name, size_t len)
{
    PQconninfoOption *all = PQconndefaults();
    bool known = false;
    for (const PQconninfoOption *o = all; o && o->keyword && !known; o++)
        known = strlen(o->keyword) == len && strncmp(o->keyword, name, len) == 0;
    PQconninfoFree(all);
    return known || (len == 3 && strncmp(name, "ssl", 3) == 0);
}

static enum pal_status take_schema(struct pg_store *s, const char *name, size_t len,
                                   struct pal_error *err)
{
    bool good =
        len > 0 && len < sizeof s->schema && (islower((unsigned char)*name) || *name == '_');
    for (size_t i = 0; i < len && good; i++)
        good = islower((unsigned char)name[i]) || isdigit((unsigned char)name[i]) || name[i] == '_';
    if (!good)
        return pal_fail(
            err, PAL_EUSAGE,
            "store '%s': schema=NAME takes up to 63 of a to z, 0 to 9 and _, and begins "
            "with none of the digits",
            s->shown);
    memcpy(s->schema, name, len);
    s->schema[len] = 0;
    return PAL_OK;
}

/* Copies "a=1&schema=x&b=2" to out without the schema. */
static enum pal_status take_query(struct pg_store *s, const char *p, struct str *out,
                                  struct pal_error *err)
{
    char before = '?';
    enum pal_status st = PAL_OK;
    while (*p && st == PAL_OK) {
        size_t whole = strcspn(p, "&"), name = strcspn(p, "=&");
        if (name == 6 && strncmp(p, "schema", 6) == 0) {
            st = take_schema(s, p + name + (name < whole), whole - name - (name < whole), err);
        } else if (!is_known(p, name)) {
            st = pal_fail(err, PAL_EUSAGE,
                          "store '%s': '%.*s' means nothing there; there are schema and what "
                          "libpq's URLs have, such as sslmode, host and connect_timeout",
                          s->shown, (int)(name < 40 ? name : 40), p);
        } else {
            str_char(out, before);
            str_add(out, p, whole);
            before = '&';
        }
        p += whole + (p[whole] == '&');
    }
    return st;
}

/* The one host's name, if that is what the URL has. */
static enum pal_status note_host(struct pg_store *s, const PQconninfoOption *all,
                                 struct pal_error *err)
{
    const char *host = NULL, *address = NULL;
    for (const PQconninfoOption *o = all; o->keyword; o++)
        if (strcmp(o->keyword, "host") == 0)
            host = o->val;
        else if (strcmp(o->keyword, "hostaddr") == 0)
            address = o->val;
    if (!host || !*host || address || *host == '/' || *host == '@' || strchr(host, ','))
        return PAL_OK;
    s->host = mem_text(host, strlen(host));
    return s->host ? PAL_OK : pal_no_memory(err);
}

enum pal_status pg_take_url(struct pg_store *s, const char *place, struct pal_error *err)
{
    struct str whole = {0}, url = {0};
    size_t head = strcspn(place, "?");
    enum pal_status st = PAL_OK;
    strcpy(s->schema, "palate");
    str_fmt(&whole, "postgres:%s", place);
    scheme_copy(s->shown, sizeof s->shown, str_text(&whole));
    str_put(&url, "postgresql:");
    str_add(&url, place, head);
    if (place[head])
        st = take_query(s, place + head + 1, &url, err);
    if (st == PAL_OK &&
        (!str_ok(&whole) || !str_ok(&url) || !(s->url = mem_text(str_text(&url), url.len))))
        st = pal_no_memory(err);
    if (st == PAL_OK) {
        /* libpq's own words would show what it could not read, which may be the password */
        PQconninfoOption *read = PQconninfoParse(s->url, NULL);
        if (!read)
            st = pal_fail(err, PAL_EUSAGE,
                          "store '%s' can't be read: write postgres://USER:PASSWORD@HOST:PORT/"
                          "DATABASE, with %%XX for characters such as @ : / %% in any of them",
                          s->shown);
        else
            st = note_host(s, read, err);
        PQconninfoFree(read);
    }
    str_done(&whole);
    str_done(&url);
    return st;
}

/* ---- What went wrong ---- */

/* Words of the server or of libpq, on one line, without the position and its like. */
static void one_line(char *out, size_t size, const char *words)
{
    size_t n = 0;
    for (; *words && n + 1 < size; words++)
        if (*words != '\n' && *words != '\t')
            out[n++] = *words;
        else if (n && out[n - 1] != ' ')
            out[n++] = ' ';
    while (n && out[n - 1] == ' ')
        n--;
    out[n] = 0;
}

/* What to do about words with which the server refuses somebody at the door. */
static const char *advice(const char *words)
{
    static const struct {
        const char *words, *advice;
    } table[] = {
        {"password authentication failed",
         "give the right password in the URL, in PGPASSWORD or in "
         "~/.pgpass"},
        {"no password supplied", "give the password in the URL, in PGPASSWORD or in ~/.pgpass"},
        {"authentication failed", "see pg_hba.conf of the server: who may come, and how"},
        {"no pg_hba.conf entry", "let this user and host in, in pg_hba.conf of the server"},
        {"does not exist", "make it first: createuser, createdb"},
        {"Connection refused", "is PostgreSQL running there?"},
        {"No such file or directory", "is PostgreSQL running there?"},
        {"timeout expired", "is the host right, and nothing in between?"},
        {"could not translate host name", "is the host's name right?"},
        {"too many", "raise max_connections of the server, or put fewer processes on it"},
        {"remaining connection slots",
         "raise max_connections of the server, or put fewer processes "
         "on it"},
        {"SSL", "see sslmode of the URL"},
        {"starting up", "it will be there in a moment"},
        {"shutting down", "start it again"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strstr(words, table[i].words))
            return table[i].advice;
    return "see the server's log";
}

static enum pal_status not_connected(const struct pg_store *s, PGconn *pg, struct pal_error *err)
{
    char words[320];
    one_line(words, sizeof words, pg ? PQerrorMessage(pg) : "out of memory");
    return pal_fail(err, PAL_EIO, "cannot reach the store %s: %s (%s)", s->shown, words,
                    advice(words));
}

/* By the first characters of SQLSTATE. */
static const struct {
    const char *state;
    enum pal_status status;
    const char *advice;
} failures[] = {
    {"53100", PAL_EIO, "no room left: free some on the server's disk"},
    {"53", PAL_EIO, "the server is short of memory or connections: give it more"},
    {"57014", PAL_EIO, "it took too long: is the server overloaded, or does somebody hold a lock?"},
    {"55P03", PAL_EIO, "somebody else holds it: try again"},
    {"57P", PAL_EIO, "the server was stopped: start it again"},
    {"25006", PAL_EIO, "the server takes no writes: name the primary, not a standby"},
    {"42501", PAL_EIO, "give this user the right to it: the owner of the schema has it"},
    {"42P01", PAL_ECORRUPT, "a table is missing: restore a dump of the schema"},
    {"42703", PAL_ECORRUPT, "a column is missing: restore a dump of the schema"},
    {"XX", PAL_ECORRUPT, "the database is damaged: see the server's log, restore a dump"},
    {"40", PAL_EIO, "another transaction was in the way: try again"},
    {"08", PAL_EIO, "the connection broke: is the server there?"},
    {"22P05", PAL_EUSAGE, "the database must have the encoding UTF8"},
};

enum pal_status pg_failed(struct pg_link *c, const PGresult *result, struct pal_error *err)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    char words[320];
    if (PQstatus(c->pg) == CONNECTION_BAD)
        c->bad = true;
    one_line(words, sizeof words, primary ? primary : PQerrorMessage(c->pg));
    for (size_t i = 0; state && i < sizeof failures / sizeof failures[0]; i++)
        if (strncmp(state, failures[i].state, strlen(failures[i].state)) == 0)
            return pal_fail(err, failures[i].status, "store %s: %s (%s)", c->s->shown, words,
                            failures[i].advice);
    return c->bad ? pal_fail(err, PAL_EIO, "store %s: the connection broke: %s", c->s->shown,
                             *words ? words : "no reason was given")
                  : pal_fail(err, PAL_EIO, "store %s: %s", c->s->shown, words);
}

/* ---- Connecting ---- */

/* libpq looks a host up without an end in time; asked just before, the answer is at hand there. */
static enum pal_status find_host(struct pg_store *s, struct pal_error *err)
{
    struct pal_error why;
    if (!s->host)
        return PAL_OK;
    pthread_mutex_lock(&s->look_mutex);
    enum pal_status st =
        lookup_host(&s->lookup, s->host, NULL, clock_steady_ms() + LOOKUP_MS, NULL, &why);
    pthread_mutex_unlock(&s->look_mutex);
    return st == PAL_OK ? PAL_OK
                        : pal_fail(err, st, "cannot reach the store %s: %s", s->shown, why.message);
}

static PGconn *dial(const struct pg_store *s)
{
    /* what stands before the URL it may change, what stands behind it not */
    static const char *const names[] = {"application_name",
                                        "connect_timeout",
                                        "keepalives_idle",
                                        "keepalives_interval",
                                        "keepalives_count",
                                        "tcp_user_timeout",
                                        "dbname",
                                        "client_encoding",
                                        NULL};
    const char *const values[] = {"palate", "3", "20", "5", "3", "20000", s->url, "UTF8", NULL};
    return PQconnectdbParams(names, values, 1);
}

static enum pal_status check_server(struct pg_link *c, struct pal_error *err)
{
    const char *encoding = PQparameterStatus(c->pg, "server_encoding");
    if (PQserverVersion(c->pg) < OLDEST_SERVER)
        return pal_fail(err, PAL_EUNSUPPORTED,
                        "store %s: the server is PostgreSQL %d; at least 12 is needed", c->s->shown,
                        PQserverVersion(c->pg) / 10000);
    if (!encoding || strcmp(encoding, "UTF8") != 0)
        return pal_fail(
            err, PAL_EUSAGE,
            "store %s: the database has the encoding %s and can't hold every text: make "
            "it anew, with createdb -E UTF8 -T template0",
            c->s->shown, encoding ? encoding : "?");
    return PAL_OK;
}

static enum pal_status settle_in(struct pg_link *c, bool writer, struct pal_error *err)
{
    char script[sizeof writer_settings + 128];
    enum pal_status st = check_server(c, err);
    if (st != PAL_OK)
        return st;
    if (PQsetnonblocking(c->pg, 1) != 0)
        return pal_no_memory(err);
    snprintf(script, sizeof script, "SET search_path = \"%s\"; %s", c->s->schema,
             writer ? writer_settings : reader_settings);
    return pg_script(c, script, PG_SHORT_MS, err);
}

static void ignore_notice(void *ctx, const PGresult *notice)
{
    (void)ctx;
    (void)notice;
}

enum pal_status pg_connect(struct pg_store *s, bool writer, struct pg_link **out,
                           struct pal_error *err)
{
    struct pg_link *c = mem_zero(1, sizeof *c);
    if (!c)
        return pal_no_memory(err);
    c->s = s;
    enum pal_status st = find_host(s, err);
    if (st == PAL_OK) {
        c->pg = dial(s);
        st = PQstatus(c->pg) == CONNECTION_OK ? PAL_OK : not_connected(s, c->pg, err);
    }
    if (st == PAL_OK) {
        PQsetNoticeReceiver(c->pg, ignore_notice, NULL);
        st = settle_in(c, writer, err);
    }
    if (st == PAL_OK)
        *out = c;
    else
        pg_close(c);
    return st;
}

void pg_close(struct pg_link *c)
{
    if (!c)
        return;
    PQfinish(c->pg);
    mem_free(c);
}

/* ---- Readers ---- */

/* A server that doesn't answer costs whoever asks some seconds; while it is away one of them pays
 * for that, now and then. */
static bool is_away(struct pg_store *s, struct pal_error *err)
{
    bool away = s->away_until_ms && clock_steady_ms() < s->away_until_ms;
    if (away && err)
        *err = s->away;
    else if (s->away_until_ms)
        s->away_until_ms = clock_steady_ms() + AWAY_MS; /* the others, while this one tries */
    return away;
}

static void note_away(struct pg_store *s, const struct pal_error *why)
{
    pthread_mutex_lock(&s->read_mutex);
    s->away_until_ms = clock_steady_ms() + AWAY_MS;
    s->away = *why;
    pthread_mutex_unlock(&s->read_mutex);
}

enum pal_status pg_reader_take(struct pg_store *s, struct pg_link **out, struct pal_error *err)
{
    struct pal_error why;
    pthread_mutex_lock(&s->read_mutex);
    struct pg_link *c = s->idle;
    bool away = !c && is_away(s, err);
    if (c)
        s->idle = c->next;
    pthread_mutex_unlock(&s->read_mutex);
    if (away)
        return PAL_EIO;
    if (c) {
        *out = c;
        return PAL_OK;
    }
    enum pal_status st = pg_connect(s, false, out, &why);
    if (st == PAL_EIO)
        note_away(s, &why);
    if (st != PAL_OK && err)
        *err = why;
    return st;
}

void pg_reader_give(struct pg_store *s, struct pg_link *c)
{
    size_t idle = 0;
    pthread_mutex_lock(&s->read_mutex);
    if (!c->bad)
        s->away_until_ms = 0;
    for (const struct pg_link *i = s->idle; i; i = i->next)
        idle++;
    if (!c->bad && idle < IDLE_READERS) {
        c->next = s->idle;
        c->pooled = true;
        s->idle = c;
        c = NULL;
    }
    pthread_mutex_unlock(&s->read_mutex);
    pg_close(c);
}

void pg_readers_close(struct pg_store *s)
{
    pthread_mutex_lock(&s->read_mutex);
    struct pg_link *idle = s->idle;
    s->idle = NULL;
    pthread_mutex_unlock(&s->read_mutex);
    while (idle) {
        struct pg_link *c = idle;
        idle = c->next;
        pg_close(c);
    }
}

bool pg_try_again(struct pg_store *s, const struct pg_link *c, const struct pal_error *why)
{
    if (!c->bad)
        return false;
    pg_readers_close(s); /* what broke this one broke the others */
    if (!c->silent)
        return c->pooled;
    note_away(s, why);
    return false;
}
