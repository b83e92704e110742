/* Statements, and rows in bulk, over a connection that never blocks: whoever waits does so for the
 * socket, and no longer than was said. A connection on which a wait ended, or that was left in the
 * middle of something, is bad: it is closed, not mended. */
#include "store/postgres.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 16 };

static enum pal_status lost(struct pg_link *c, struct pal_error *err)
{
    c->bad = true;
    return pg_failed(c, NULL, err);
}

/* Waits until the server said something (which is then taken in), or takes more of what is to be
 * sent. */
static enum pal_status wait_for(struct pg_link *c, bool to_write, int wait_ms,
                                struct pal_error *err)
{
    struct pollfd p = {.fd = PQsocket(c->pg), .events = (short)(POLLIN | (to_write ? POLLOUT : 0))};
    if (p.fd < 0)
        return lost(c, err);
    int n = poll(&p, 1, wait_ms);
    if (n < 0 && errno == EINTR)
        return PAL_OK;
    if (n == 0) {
        c->bad = c->silent = true;
        return pal_fail(err, PAL_EIO,
                        "store %s: no answer within %d s: is the server overloaded, or the network "
                        "cut?",
                        c->s->shown, wait_ms / 1000);
    }
    if ((p.revents & ~POLLOUT) && !PQconsumeInput(c->pg))
        return lost(c, err);
    return PAL_OK;
}

/* The next result, NULL at the end of a statement's. */
static enum pal_status next_result(struct pg_link *c, int wait_ms, PGresult **out,
                                   struct pal_error *err)
{
    for (;;) {
        int more = PQflush(c->pg);
        if (more < 0)
            return lost(c, err);
        if (!PQisBusy(c->pg))
            break;
        enum pal_status st = wait_for(c, more > 0, wait_ms, err);
        if (st != PAL_OK)
            return st;
    }
    *out = PQgetResult(c->pg);
    return PAL_OK;
}

/* ---- Prepared statements ---- */

static void name_of(char *name, size_t size, enum pg_sql which)
{
    snprintf(name, size, "p%d", (int)which);
}

static bool send_one(struct pg_link *c, const struct pg_ask *a)
{
    static const int binary[PG_PARAMS_MOST] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const char *value[PG_PARAMS_MOST];
    int length[PG_PARAMS_MOST], count = a->params ? a->params->count : 0;
    char name[16];
    for (int i = 0; i < count; i++) {
        length[i] = a->params->param[i].len;
        value[i] = length[i] < 0 ? NULL : a->params->bytes.text + a->params->param[i].at;
        if (length[i] == 0)
            value[i] = "";
    }
    name_of(name, sizeof name, a->sql);
    return PQsendQueryPrepared(c->pg, name, count, value, length, binary, 1);
}

/* Prepares what is new here, then asks: all in one go. sent: what was prepared. */
static enum pal_status send_all(struct pg_link *c, const struct pg_ask *asks, size_t count,
                                bool *prepares, struct pal_error *err)
{
    bool good = PQenterPipelineMode(c->pg);
    for (size_t i = 0; i < count && good; i++) {
        char name[16];
        if (asks[i].params && !str_ok(&asks[i].params->bytes)) {
            c->bad = true;
            return pal_no_memory(err);
        }
        prepares[i] = !c->prepared[asks[i].sql];
        for (size_t j = 0; j < i && prepares[i]; j++)
            prepares[i] = asks[j].sql != asks[i].sql;
        name_of(name, sizeof name, asks[i].sql);
        if (prepares[i])
            good = PQsendPrepare(c->pg, name, pg_sql[asks[i].sql], 0, NULL);
        good = good && send_one(c, &asks[i]);
    }
    good = good && PQpipelineSync(c->pg);
    return good ? PAL_OK : lost(c, err);
}

static enum pal_status give_rows(struct pg_link *c, struct pg_ask *a, const PGresult *r,
                                 struct pal_error *err)
{
    struct pg_row row = {.count = PQnfields(r)};
    if (!a->shape || row.count > PG_FIELDS_MOST)
        return PAL_OK;
    for (int i = 0; i < PQntuples(r); i++) {
        for (int f = 0; f < row.count; f++) {
            row.field[f].p = PQgetvalue(r, i, f);
            row.field[f].len = PQgetisnull(r, i, f) ? -1 : PQgetlength(r, i, f);
        }
        a->rows++;
        enum pal_status st = pg_row_is(&row, a->shape)
                                 ? a->fn(a->ctx, &row, err)
                                 : pal_fail(err, PAL_ECORRUPT,
                                            "store %s: a row is not as it should be: restore a "
                                            "dump of the schema",
                                            c->s->shown);
        if (st != PAL_OK)
            return st;
    }
    return PAL_OK;
}

/* One result of a statement, of which there is one per row, or one for all. */
static enum pal_status take_result(struct pg_link *c, struct pg_ask *a, PGresult *r,
                                   struct pal_error *err)
{
    switch (PQresultStatus(r)) {
    case PGRES_SINGLE_TUPLE:
    case PGRES_TUPLES_OK:
        return give_rows(c, a, r, err);
    case PGRES_COMMAND_OK:
        a->rows = strtoll(PQcmdTuples(r), NULL, 10);
        return PAL_OK;
    default:
        return pg_failed(c, r, err);
    }
}

/* All results of the statement at hand, up to the NULL behind them; a == NULL: of a preparation. A
 * failure is kept, the first of all; what the server passed over for it is none of its own. */
static enum pal_status collect(struct pg_link *c, struct pg_ask *a, int wait_ms,
                               enum pal_status *kept, struct pal_error *err)
{
    PGresult *r = NULL;
    if (a)
        PQsetSingleRowMode(c->pg);
    for (;;) {
        enum pal_status st = next_result(c, wait_ms, &r, err);
        if (st != PAL_OK || !r)
            return st;
        bool passed = PQresultStatus(r) == PGRES_PIPELINE_ABORTED;
        if (*kept == PAL_OK && !passed) {
            struct pg_ask nothing = {0};
            *kept = take_result(c, a ? a : &nothing, r, err);
            bool by_caller = *kept != PAL_OK && PQresultStatus(r) != PGRES_FATAL_ERROR;
            c->bad |= by_caller; /* the rest of its rows is not worth waiting for */
        }
        PQclear(r);
        if (c->bad)
            return *kept;
    }
}

enum { ASKS_MOST = 16 };

enum pal_status pg_ask(struct pg_link *c, struct pg_ask *asks, size_t count, int wait_ms,
                       struct pal_error *err)
{
    bool prepares[ASKS_MOST];
    enum pal_status kept = PAL_OK;
    PGresult *r = NULL;
    enum pal_status st = send_all(c, asks, count, prepares, err);
    for (size_t i = 0; i < count && st == PAL_OK; i++) {
        enum pal_status before = kept;
        asks[i].rows = 0;
        if (prepares[i])
            st = collect(c, NULL, wait_ms, &kept, err);
        if (st == PAL_OK && prepares[i] && before == PAL_OK && kept == PAL_OK)
            c->prepared[asks[i].sql] = true;
        if (st == PAL_OK)
            st = collect(c, &asks[i], wait_ms, &kept, err);
    }
    if (st == PAL_OK)
        st = next_result(c, wait_ms, &r, err); /* that of the sync */
    PQclear(r);
    if (st == PAL_OK && !PQexitPipelineMode(c->pg))
        st = lost(c, err);
    return kept != PAL_OK ? kept : st;
}

enum pal_status pg_script(struct pg_link *c, const char *script, int wait_ms, struct pal_error *err)
{
    PGresult *r = NULL;
    enum pal_status st = PQsendQuery(c->pg, script) ? PAL_OK : lost(c, err), kept = PAL_OK;
    while (st == PAL_OK && (st = next_result(c, wait_ms, &r, err)) == PAL_OK && r) {
        ExecStatusType how = PQresultStatus(r);
        if (kept == PAL_OK && how != PGRES_COMMAND_OK && how != PGRES_TUPLES_OK)
            kept = pg_failed(c, r, err);
        PQclear(r);
    }
    return kept != PAL_OK ? kept : st;
}

enum pal_status pg_number(struct pg_link *c, const char *query, int64_t *out, struct pal_error *err)
{
    PGresult *r = NULL;
    enum pal_status st = PQsendQuery(c->pg, query) ? PAL_OK : lost(c, err), kept = PAL_OK;
    *out = -1;
    while (st == PAL_OK && (st = next_result(c, PG_SHORT_MS, &r, err)) == PAL_OK && r) {
        if (PQresultStatus(r) != PGRES_TUPLES_OK)
            kept = pg_failed(c, r, err);
        else if (PQntuples(r) > 0 && !PQgetisnull(r, 0, 0))
            *out = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
        PQclear(r);
    }
    return kept != PAL_OK ? kept : st;
}

/* ---- COPY ---- */

/* Begins one; how: PGRES_COPY_IN or PGRES_COPY_OUT. */
static enum pal_status begin_copy(struct pg_link *c, const char *sql, ExecStatusType how,
                                  struct pal_error *err)
{
    PGresult *r = NULL;
    enum pal_status st = PQsendQuery(c->pg, sql) ? PAL_OK : lost(c, err);
    if (st == PAL_OK)
        st = next_result(c, PG_LONG_MS, &r, err);
    if (st == PAL_OK && PQresultStatus(r) != how) {
        st = pg_failed(c, r, err);
        c->bad = true;
    }
    PQclear(r);
    return st;
}

/* The last results of a COPY: whether it went well. */
static enum pal_status end_copy(struct pg_link *c, struct pal_error *err)
{
    PGresult *r = NULL;
    enum pal_status st, kept = PAL_OK;
    while ((st = next_result(c, PG_LONG_MS, &r, err)) == PAL_OK && r) {
        if (kept == PAL_OK && PQresultStatus(r) != PGRES_COMMAND_OK)
            kept = pg_failed(c, r, err);
        PQclear(r);
    }
    return kept != PAL_OK ? kept : st;
}

static enum pal_status take_row(struct pg_link *c, char *data, int size, bool first,
                                const char *shape, pg_row_fn *fn, void *ctx, struct pal_error *err)
{
    struct pg_row row;
    int how = pg_row_read(data, (size_t)size, first, &row);
    if (how == 0)
        return PAL_OK;
    if (how < 0 || !pg_row_is(&row, shape))
        return pal_fail(err, PAL_ECORRUPT,
                        "store %s: a row is not as it should be: restore a dump of the schema",
                        c->s->shown);
    return fn(ctx, &row, err);
}

enum pal_status pg_copy_out(struct pg_link *c, const char *sql, const char *shape, pg_row_fn *fn,
                            void *ctx, struct pal_error *err)
{
    char *data = NULL;
    int size;
    bool first = true;
    enum pal_status st = begin_copy(c, sql, PGRES_COPY_OUT, err);
    while (st == PAL_OK && (size = PQgetCopyData(c->pg, &data, 1)) != -1) {
        if (size == -2)
            return lost(c, err);
        if (size == 0) {
            st = wait_for(c, false, PG_LONG_MS, err);
            continue;
        }
        st = take_row(c, data, size, first, shape, fn, ctx, err);
        first = false;
        PQfreemem(data);
        data = NULL;
    }
    if (st != PAL_OK) {
        c->bad = true; /* in the middle of it */
        return st;
    }
    return end_copy(c, err);
}

/* Hands a piece to libpq, or the end (piece NULL), waiting while it has too much. */
static enum pal_status put_piece(struct pg_link *c, const char *piece, int size,
                                 struct pal_error *err)
{
    for (;;) {
        int done = piece ? PQputCopyData(c->pg, piece, size) : PQputCopyEnd(c->pg, NULL);
        int more = done < 0 ? -1 : PQflush(c->pg);
        if (more < 0)
            return lost(c, err);
        enum pal_status st = more > 0 || done == 0 ? wait_for(c, true, PG_LONG_MS, err) : PAL_OK;
        if (st != PAL_OK || done == 1)
            return st;
    }
}

enum pal_status pg_copy_in(struct pg_link *c, const char *sql, const struct str *rows,
                           struct pal_error *err)
{
    if (!str_ok(rows))
        return pal_no_memory(err);
    enum pal_status st = begin_copy(c, sql, PGRES_COPY_IN, err);
    for (size_t done = 0; done < rows->len && st == PAL_OK;) {
        size_t n = rows->len - done < CHUNK ? rows->len - done : CHUNK;
        st = put_piece(c, rows->text + done, (int)n, err);
        done += n;
    }
    if (st == PAL_OK)
        st = put_piece(c, NULL, 0, err);
    return st == PAL_OK ? end_copy(c, err) : st;
}

/* ---- Readers ---- */

enum pal_status pg_read(struct pg_store *s, struct pg_ask *asks, size_t count, int wait_ms,
                        struct pal_error *err)
{
    for (;;) {
        struct pg_link *c;
        struct pal_error why;
        int64_t given = 0;
        enum pal_status st = pg_reader_take(s, &c, err);
        if (st != PAL_OK)
            return st;
        st = pg_ask(c, asks, count, wait_ms, &why);
        for (size_t i = 0; i < count; i++)
            given += asks[i].rows;
        bool again = st != PAL_OK && pg_try_again(s, c, &why) && given == 0;
        if (st != PAL_OK && PQtransactionStatus(c->pg) != PQTRANS_IDLE)
            c->bad = true;
        pg_reader_give(s, c);
        if (st != PAL_OK && !again && err)
            *err = why;
        if (!again)
            return st;
    }
}

enum pal_status pg_moment_begin(struct pg_store *s, struct pg_link **out, struct pal_error *err)
{
    static const char begin[] =
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0;"
        "SET LOCAL enable_hashjoin = on";
    for (;;) {
        struct pg_link *c;
        struct pal_error why;
        enum pal_status st = pg_reader_take(s, &c, err);
        if (st != PAL_OK)
            return st;
        st = pg_script(c, begin, PG_SHORT_MS, &why);
        if (st == PAL_OK) {
            *out = c;
            return st;
        }
        bool again = pg_try_again(s, c, &why);
        c->bad = true;
        pg_reader_give(s, c);
        if (!again && err)
            *err = why;
        if (!again)
            return st;
    }
}

enum pal_status pg_moment_end(struct pg_store *s, struct pg_link *c, enum pal_status st)
{
    if (st != PAL_OK || pg_script(c, "COMMIT", PG_LONG_MS, NULL) != PAL_OK)
        c->bad = true;
    pg_reader_give(s, c);
    return st;
}
