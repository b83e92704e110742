/* Statements over HTTP. The statement is the request's body; rows that are inserted take its place,
 * with the statement in the address. User and password go in headers, where no log shows them. */
#include "store/clickhouse_inside.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONNECT_MS = 5000, QUIET_S = 120, QUICK_MS = 3000 };

enum pal_status ch_new(const struct ch_place *p, bool quick, struct ch *out, struct pal_error *err)
{
    out->place = p;
    snprintf(out->user, sizeof out->user, "X-ClickHouse-User: %s", p->user);
    snprintf(out->password, sizeof out->password, "X-ClickHouse-Key: %s", p->password);
    enum pal_status st = fetch_new(CONNECT_MS, QUIET_S, &out->fetch, err);
    if (st == PAL_OK && quick)
        fetch_within(out->fetch, QUICK_MS);
    return st;
}

void ch_done(struct ch *c)
{
    fetch_free(c->fetch);
    c->fetch = NULL;
}

/* The number in "Code: 60, …". */
static unsigned long code_of(const struct str *answer)
{
    const char *p = strstr(str_text(answer), "Code: ");
    return p ? strtoul(p + 6, NULL, 10) : 0;
}

static enum pal_status refused(const struct ch *c, const struct fetch_call *call,
                               struct pal_error *err)
{
    enum {
        NO_TABLE = 60,
        NO_DATABASE = 81,
        READ_ONLY = 164,
        NO_USER = 192,
        BAD_PASSWORD = 193,
        NO_PASSWORD = 194,
        DENIED = 497,
        NOT_LET_IN = 516
    };
    unsigned long code = code_of(&call->answer);
    const char *advice = "";
    if (code == NO_USER || code == BAD_PASSWORD || code == NO_PASSWORD || code == NOT_LET_IN)
        advice = ": look at user and password of --events";
    else if (code == READ_ONLY || code == DENIED)
        advice = ": the user may not do that";
    bool absent = code == NO_TABLE || code == NO_DATABASE;
    return pal_fail(err, absent ? PAL_ENOTFOUND : PAL_EIO, "%s answered %ld: %.300s%s",
                    c->place->shown, call->status, str_text(&call->answer), advice);
}

/* $DB becomes the database's name. */
static void expand(const struct ch *c, const char *sql, struct str *out)
{
    for (const char *p; (p = strstr(sql, "$DB")); sql = p + 3) {
        str_add(out, sql, (size_t)(p - sql));
        str_put(out, c->place->database);
    }
    str_put(out, sql);
}

/* rows NULL: the statement is the body. */
static enum pal_status call(struct ch *c, const char *sql, const struct str *rows,
                            struct fetch_call *out, struct pal_error *err)
{
    struct str text = {0}, url = {0};
    struct pal_error why;
    expand(c, sql, &text);
    str_fmt(&url, "%s?query_id=palate-%s-%ld-%p-%lu", c->place->url, c->place->database,
            (long)getpid(), (void *)c, (unsigned long)random());
    if (rows) { /* a replicated table would drop what was inserted, deleted and inserted again */
        str_put(&url, "&insert_deduplicate=0&query=");
        fetch_escape(&url, str_text(&text), false);
    }
    out->method = "POST";
    out->url = str_text(&url);
    out->headers[0] = c->user;
    out->headers[1] = *c->place->password ? c->password : NULL;
    out->body = rows ? str_text(rows) : str_text(&text);
    out->body_size = rows ? rows->len : text.len;
    enum pal_status st = str_ok(&text) && str_ok(&url) && (!rows || str_ok(rows))
                             ? fetch_do(c->fetch, out, &why)
                             : pal_no_memory(&why);
    if (st == PAL_OK && out->status != 200)
        st = refused(c, out, &why);
    else if (st == PAL_EIO)
        st = pal_within(&why, st, "%s", c->place->shown);
    if (st != PAL_OK && err)
        *err = why;
    str_done(&text);
    str_done(&url);
    return st;
}

enum pal_status ch_run(struct ch *c, const char *sql, struct str *answer, struct pal_error *err)
{
    struct fetch_call out = {.method = NULL};
    enum pal_status st = call(c, sql, NULL, &out, err);
    if (answer)
        *answer = out.answer;
    else
        str_done(&out.answer);
    return st;
}

enum pal_status ch_number(struct ch *c, const char *sql, uint64_t *out, struct pal_error *err)
{
    struct str answer = {0};
    enum pal_status st = ch_run(c, sql, &answer, err);
    const char *p = str_text(&answer), *end = p + answer.len;
    if (end > p && end[-1] == '\n')
        end--;
    if (st == PAL_OK && !text_u64(p, end, out))
        st = pal_fail(err, PAL_EIO, "%s answered '%.100s' where a number was due", c->place->shown,
                      p);
    str_done(&answer);
    return st;
}

enum pal_status ch_insert(struct ch *c, const char *sql, const struct str *rows,
                          struct pal_error *err)
{
    struct fetch_call out = {.method = NULL};
    enum pal_status st = call(c, sql, rows, &out, err);
    str_done(&out.answer);
    return st;
}

enum pal_status ch_select(struct ch *c, const char *sql, const char *kinds, ch_row_fn *fn,
                          void *ctx, struct pal_error *err)
{
    struct ch_rows rows = {.kinds = kinds, .fn = fn, .ctx = ctx};
    struct fetch_call out = {.take = ch_rows_take, .ctx = &rows};
    enum pal_status st = call(c, sql, NULL, &out, err);
    if (st == PAL_OK)
        st = ch_rows_end(&rows, err);
    ch_rows_done(&rows);
    str_done(&out.answer);
    return st;
}

void ch_quote(struct str *out, const char *text)
{
    str_char(out, '\'');
    for (const char *p = text; *p; p++) {
        if (*p == '\'' || *p == '\\')
            str_char(out, '\\');
        str_char(out, *p);
    }
    str_char(out, '\'');
}
