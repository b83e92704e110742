/* Lists into a table of PostgreSQL (see lists.h).
 *
 * They are gathered in a table of their own, NAME_next, chunk by chunk, each in a transaction that
 * also writes how far it came into that table's comment: whoever goes on reads it there. At the end
 * it gets its index and the rights that the old table gives, and takes the old one's place and name
 * in one transaction: who reads sees the old lists or the new ones. */
#include "cli/lists.h"

#ifdef HAVE_POSTGRES

#include "base/emit.h"
#include "base/mem.h"
#include "base/scheme.h"

#include <jansson.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OURS "recommendations by palate" /* what the comments of our tables begin with */

static const char usual_table[] = "palate_recommendations";

struct sink_of_table {
    struct sink base;
    struct lists_head head;
    PGconn *db;
    char shown[256];          /* the URL, without its password */
    char table[51], next[64]; /* names */
    char *old, *fresh;        /* quoted; libpq's */
    bool begun;
};

/* ---- Talking ---- */

/* The server's last words, on one line. */
static enum pal_status complain(struct sink_of_table *t, const char *what, struct pal_error *err)
{
    char words[400];
    snprintf(words, sizeof words, "%s", PQerrorMessage(t->db));
    words[strcspn(words, "\n")] = 0;
    return pal_fail(err, PAL_EIO, "%s: cannot %s: %s", t->shown, what, words);
}

static enum pal_status run_sql(struct sink_of_table *t, const char *sql, const char *what,
                               struct pal_error *err)
{
    PGresult *r = PQexec(t->db, sql);
    ExecStatusType got = PQresultStatus(r);
    PQclear(r);
    return got == PGRES_COMMAND_OK || got == PGRES_TUPLES_OK ? PAL_OK : complain(t, what, err);
}

/* A statement with the two tables' names in it: %1$s the one that readers see, %2$s the next. */
static enum pal_status run_named(struct sink_of_table *t, const char *fmt, const char *what,
                                 struct pal_error *err)
{
    struct str sql = {0};
    for (const char *p = fmt; *p; p++) {
        if (*p == '$')
            str_put(&sql, *++p == '1' ? t->old : t->fresh);
        else
            str_char(&sql, *p);
    }
    enum pal_status st = str_ok(&sql) ? run_sql(t, str_text(&sql), what, err) : pal_no_memory(err);
    str_done(&sql);
    return st;
}

/* ---- How far it has come ---- */

static void put_state(struct emit *e, const struct sink_of_table *t, uint64_t done,
                      const char *last)
{
    emit_open(e, NULL, '{');
    emit_uint(e, "version", t->head.version);
    emit_string(e, "model", t->head.model);
    emit_uint(e, "n", t->head.n);
    emit_uint(e, "whose", t->head.whose);
    emit_int(e, "days", t->head.days);
    emit_uint(e, "done", done);
    emit_string(e, "last", last);
    emit_close(e, '}');
}

static enum pal_status save_state(struct sink_of_table *t, uint64_t done, const char *last,
                                  struct pal_error *err)
{
    struct emit e = {.compact = true};
    struct str sql = {0};
    put_state(&e, t, done, last);
    char *quoted = PQescapeLiteral(t->db, str_text(&e.text), e.text.len);
    str_fmt(&sql, "COMMENT ON TABLE %s IS %s", t->fresh, quoted ? quoted : "''");
    enum pal_status st = quoted && str_ok(&e.text) && str_ok(&sql)
                             ? run_sql(t, str_text(&sql), "say how far it came", err)
                             : pal_no_memory(err);
    PQfreemem(quoted);
    str_done(&e.text);
    str_done(&sql);
    return st;
}

/* Takes up what an interrupted run left, if its lists were to be the same. */
static void read_state(struct sink_of_table *t, const char *text)
{
    json_error_t why;
    json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    const char *last = json_string_value(json_object_get(o, "last"));
    json_int_t done = json_integer_value(json_object_get(o, "done"));
    if (last && done > 0 && strlen(last) < sizeof t->base.last) {
        struct emit e = {.compact = true};
        put_state(&e, t, (uint64_t)done, last);
        if (str_ok(&e.text) && strcmp(str_text(&e.text), text) == 0) { /* all of it agrees */
            t->base.done = (uint64_t)done;
            snprintf(t->base.last, sizeof t->base.last, "%s", last);
        }
        str_done(&e.text);
    }
    json_decref(o);
}

/* A table of either name that is none of ours is not touched. */
static enum pal_status find_state(struct sink_of_table *t, struct pal_error *err)
{
    static const char query[] =
        "SELECT to_regclass($1) IS NULL OR starts_with(coalesce(obj_description(to_regclass($1), "
        "'pg_class'), ''), '" OURS
        "'), to_regclass($2) IS NULL OR obj_description(to_regclass($2), "
        "'pg_class') ~ '^(" OURS "|[{])', obj_description(to_regclass($2), 'pg_class')";
    const char *arguments[] = {t->old, t->fresh};
    PGresult *r = PQexecParams(t->db, query, 2, NULL, arguments, NULL, NULL, 0);
    enum pal_status st = PAL_OK;
    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        st = complain(t, "look at what is there", err);
    else if (strcmp(PQgetvalue(r, 0, 0), "t") != 0 || strcmp(PQgetvalue(r, 0, 1), "t") != 0)
        st = pal_fail(err, PAL_EUSAGE,
                      "%s: there is a table %s or %s that palate did not make: name another by "
                      "?table=NAME",
                      t->shown, t->table, t->next);
    else if (!PQgetisnull(r, 0, 2))
        read_state(t, PQgetvalue(r, 0, 2));
    PQclear(r);
    return st;
}

/* ---- The sink ---- */

static enum pal_status begin(struct sink_of_table *t, struct pal_error *err)
{
    t->begun = true;
    if (t->base.done)
        return PAL_OK;
    return run_named(t,
                     "BEGIN; DROP TABLE IF EXISTS $2; CREATE TABLE $2 (user_id text NOT NULL, "
                     "rank smallint NOT NULL, item_id text NOT NULL, score real NOT NULL, source "
                     "text NOT NULL, version bigint NOT NULL); COMMENT ON TABLE $2 IS '" OURS
                     ", being written'; COMMIT",
                     "make the table for the lists", err);
}

static enum pal_status copy(struct sink_of_table *t, const char *text, size_t len,
                            struct pal_error *err)
{
    enum { AT_ONCE = 1 << 24 };
    struct str sql = {0};
    str_fmt(&sql, "COPY %s FROM STDIN", t->fresh);
    PGresult *r = str_ok(&sql) ? PQexec(t->db, str_text(&sql)) : NULL;
    bool fine = PQresultStatus(r) == PGRES_COPY_IN;
    PQclear(r);
    str_done(&sql);
    for (size_t at = 0; fine && at < len;) {
        size_t n = len - at < AT_ONCE ? len - at : AT_ONCE;
        fine = PQputCopyData(t->db, text + at, (int)n) == 1;
        at += n;
    }
    fine = fine && PQputCopyEnd(t->db, NULL) == 1;
    r = fine ? PQgetResult(t->db) : NULL;
    fine = fine && PQresultStatus(r) == PGRES_COMMAND_OK;
    enum pal_status st = fine ? PAL_OK : complain(t, "write lists", err);
    while (r) {
        PQclear(r);
        r = PQgetResult(t->db);
    }
    return st;
}

static enum pal_status table_write(struct sink *base, const char *text, size_t len, uint64_t done,
                                   const char *last, struct pal_error *err)
{
    struct sink_of_table *t = (struct sink_of_table *)base;
    enum pal_status st = t->begun ? PAL_OK : begin(t, err);
    if (st == PAL_OK)
        st = run_sql(t, "BEGIN", "begin", err);
    if (st == PAL_OK)
        st = copy(t, text, len, err);
    if (st == PAL_OK)
        st = save_state(t, done, last, err);
    return st == PAL_OK ? run_sql(t, "COMMIT", "commit", err) : st;
}

/* The rights that the old table gives, given by the next one, too. */
static enum pal_status copy_rights(struct sink_of_table *t, struct pal_error *err)
{
    static const char query[] =
        "SELECT format('GRANT %s ON %s TO %s', a.privilege_type, $2::text, CASE WHEN a.grantee = 0 "
        "THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END) FROM pg_class c, "
        "aclexplode(c.relacl) a WHERE c.oid = to_regclass($1)";
    const char *arguments[] = {t->old, t->fresh};
    PGresult *r = PQexecParams(t->db, query, 2, NULL, arguments, NULL, NULL, 0);
    enum pal_status st = PQresultStatus(r) == PGRES_TUPLES_OK
                             ? PAL_OK
                             : complain(t, "read the rights of the table", err);
    for (int i = 0; st == PAL_OK && i < PQntuples(r); i++)
        st = run_sql(t, PQgetvalue(r, i, 0), "give the rights of the table", err);
    PQclear(r);
    return st;
}

static enum pal_status table_finish(struct sink *base, struct pal_error *err)
{
    struct sink_of_table *t = (struct sink_of_table *)base;
    enum pal_status st = t->begun ? PAL_OK : begin(t, err);
    if (st == PAL_OK)
        st = run_named(t, "BEGIN; ALTER TABLE $2 ADD PRIMARY KEY (user_id, rank)",
                       "make the index of the lists", err);
    if (st == PAL_OK)
        st = copy_rights(t, err);
    if (st == PAL_OK)
        st = run_named(t,
                       "COMMENT ON TABLE $2 IS '" OURS "'; DROP TABLE IF "
                       "EXISTS $1",
                       "drop the lists from before", err);
    struct str sql = {0};
    char *name = PQescapeIdentifier(t->db, t->table, strlen(t->table));
    str_fmt(&sql, "ALTER TABLE %s RENAME TO %s; COMMIT", t->fresh, name ? name : "?");
    if (st == PAL_OK)
        st = name && str_ok(&sql) ? run_sql(t, str_text(&sql), "put the lists in place", err)
                                  : pal_no_memory(err);
    PQfreemem(name);
    str_done(&sql);
    return st;
}

static void table_close(struct sink *base)
{
    struct sink_of_table *t = (struct sink_of_table *)base;
    PQfreemem(t->old);
    PQfreemem(t->fresh);
    PQfinish(t->db);
    mem_free(t);
}

static const struct sink_ops table_ops = {table_write, table_finish, table_close};

/* The URL for libpq, which does not know ?table=, and that name. */
static enum pal_status split_url(struct sink_of_table *t, const char *url, struct str *plain,
                                 struct pal_error *err)
{
    const char *name = usual_table;
    size_t len = strlen(usual_table), used = strcspn(url, "?");
    str_add(plain, url, used);
    char before = '?';
    for (const char *p = url + used; *p;) {
        size_t n = strcspn(++p, "&");
        if (strncmp(p, "table=", 6) == 0) {
            name = p + 6;
            len = n - 6;
        } else {
            str_fmt(plain, "%c%.*s", before, (int)n, p);
            before = '&';
        }
        p += n;
    }
    if (len == 0 || len > 50 || strcspn(name, "%'\"") < len)
        return pal_fail(err, PAL_EUSAGE,
                        "%s: table=NAME takes 1 to 50 characters, with neither quotes nor %%",
                        t->shown);
    snprintf(t->table, sizeof t->table, "%.*s", (int)len, name);
    snprintf(t->next, sizeof t->next, "%s_next", t->table);
    return str_ok(plain) ? PAL_OK : pal_no_memory(err);
}

/* libpq's own words about what it can't read would show the password. */
static enum pal_status check_url(const struct sink_of_table *t, const char *url,
                                 struct pal_error *err)
{
    PQconninfoOption *all = PQconninfoParse(url, NULL);
    bool fine = all != NULL;
    for (const PQconninfoOption *o = all; o && o->keyword; o++)
        if (strcmp(o->keyword, "port") == 0 && o->val)
            fine = !o->val[strspn(o->val, "0123456789,")];
    PQconninfoFree(all);
    return fine ? PAL_OK
                : pal_fail(err, PAL_EUSAGE,
                           "%s: that is no address of PostgreSQL: what is special in a user or a "
                           "password is to be percent-encoded",
                           t->shown);
}

static enum pal_status connect_to(struct sink_of_table *t, const char *url, struct pal_error *err)
{
    const char *keys[] = {"dbname", "connect_timeout", "application_name", "keepalives_idle", NULL};
    const char *values[] = {url, "10", "palate", "30", NULL};
    t->db = PQconnectdbParams(keys, values, 1);
    if (PQstatus(t->db) != CONNECTION_OK)
        return complain(t, "connect", err);
    t->old = PQescapeIdentifier(t->db, t->table, strlen(t->table));
    t->fresh = PQescapeIdentifier(t->db, t->next, strlen(t->next));
    if (!t->old || !t->fresh)
        return pal_no_memory(err);
    return run_sql(t, "SET client_min_messages = warning; SET client_encoding = 'UTF8'",
                   "set up the connection", err);
}

/* Two at once would mix their lists. */
static enum pal_status take_lock(struct sink_of_table *t, struct pal_error *err)
{
    const char *arguments[] = {t->fresh};
    PGresult *r = PQexecParams(t->db, "SELECT pg_try_advisory_lock(hashtext('palate ' || $1))", 1,
                               NULL, arguments, NULL, NULL, 0);
    enum pal_status st = PAL_OK;
    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        st = complain(t, "lock the table", err);
    else if (strcmp(PQgetvalue(r, 0, 0), "t") != 0)
        st = pal_fail(err, PAL_EIO, "%s: another process is writing lists to table %s", t->shown,
                      t->table);
    PQclear(r);
    return st;
}

enum pal_status sink_postgres(const char *url, const struct lists_head *head, struct sink **out,
                              struct pal_error *err)
{
    struct sink_of_table *t = mem_zero(1, sizeof *t);
    struct str plain = {0};
    if (!t)
        return pal_no_memory(err);
    *t = (struct sink_of_table){.base = {.ops = &table_ops, .form = FORM_COPY}, .head = *head};
    scheme_copy(t->shown, sizeof t->shown, url);
    enum pal_status st = split_url(t, url, &plain, err);
    if (st == PAL_OK)
        st = check_url(t, str_text(&plain), err);
    if (st == PAL_OK)
        st = connect_to(t, str_text(&plain), err);
    if (st == PAL_OK)
        st = take_lock(t, err);
    if (st == PAL_OK)
        st = find_state(t, err);
    str_done(&plain);
    if (st == PAL_OK)
        *out = &t->base;
    else
        table_close(&t->base);
    return st;
}

#else

#include "base/scheme.h"

enum pal_status sink_postgres(const char *url, const struct lists_head *head, struct sink **out,
                              struct pal_error *err)
{
    static const struct scheme_kinds none = {.what = "output"};
    const struct scheme_kind *kind;
    return scheme_find(&none, url, &kind, err);
}

#endif
