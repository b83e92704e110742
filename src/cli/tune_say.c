/* What a person sees of a search: on a terminal a picture that is drawn anew after each trial, else
 * a line for each; and at the end what was found. */
#include "cli/table.h"
#include "cli/tune.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LATEST = 8 };
static const double draw_every_s = 0.1;

static void put_value(struct str *out, double x)
{
    if (isnan(x))
        str_put(out, "-");
    else
        str_fmt(out, "%.*f", fabs(x) < 9.99995 ? 4 : 2, x);
}

/* The options that are searched, and those of a rung: "epochs=5 factors=128 alpha0=0.02". */
static void put_point(struct str *out, const struct tune *t, const struct tune_record *r)
{
    bool first = true;
    for (size_t i = 0; i < t->start.ops->options.count; i++) {
        const struct opt *row = &t->start.ops->options.rows[i];
        if (row != t->epochs && !space_find(&t->space, row->name))
            continue;
        str_fmt(out, "%s%s=", first ? "" : " ", row->name);
        opt_show(row, r->options, out);
        first = false;
    }
}

static bool live(const struct tune *t)
{
    const struct job *job = t->job;
    return job->out.tty && job->progress.on && !job->set.json;
}

/* How many trials ended on the lowest rung that they were tried on: each counts once. */
static size_t trials_ended(const struct tune *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++)
        n += t->records[i].rung == 0 || t->records[i].trial == 1;
    return n;
}

static size_t count_failed(const struct tune *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++)
        n += *t->records[i].reason != 0;
    return n;
}

/* The lesser of what the trials left will take at the mean pace so far, and the time that is
 * allowed. 0 = not known. */
static double time_left(const struct tune *t)
{
    size_t done = trials_ended(t);
    double elapsed = tune_elapsed(t), limit = t->job->set.time * 60;
    double left = done > 1 ? elapsed / (double)done * (double)(t->set.trials - done) : 0;
    if (limit > 0 && (left <= 0 || left > limit - elapsed))
        left = limit > elapsed ? limit - elapsed : 0;
    return left;
}

static void say_what(const struct tune *t)
{
    struct console *c = &t->job->out;
    say_styled(c, BOLD, t->start.label);
    say(c, "  %s on the validation part of %s, %s\n", t->judged.metrics[0].name, t->seen.name,
        t->judged.split.spec);
}

static void say_pace(const struct tune *t)
{
    struct console *c = &t->job->out;
    struct str text = {0};
    double left = time_left(t);
    str_fmt(&text, "%zu of %zu trials in ", trials_ended(t), t->set.trials);
    put_seconds(&text, tune_elapsed(t));
    if (left > 0) {
        str_put(&text, ", ");
        put_seconds(&text, left);
        str_put(&text, " left");
    }
    say(c, "  %s\n", str_text(&text));
    str_done(&text);
}

static void put_record(struct table *table, const struct tune *t, const struct tune_record *r,
                       enum style style)
{
    table_cell(table, "%u", r->trial);
    if (*r->reason)
        table_put(table, BAD, "failed");
    else
        put_value(table_open(table, style), r->value[0]), table_close(table);
    put_seconds(table_open(table, PLAIN), r->train_s + r->eval_s);
    table_close(table);
    if (*r->reason)
        str_put(table_open(table, PLAIN), r->reason);
    else
        put_point(table_open(table, PLAIN), t, r);
    table_close(table);
}

static void columns(struct table *table, const struct tune *t)
{
    table->indent = 2;
    table_column(table, "trial", RIGHT, false);
    table_column(table, t->judged.metrics[0].name, RIGHT, false);
    table_column(table, "time", RIGHT, false);
    table_column(table, "options", LEFT, true);
}

/* The best so far, then the latest. */
static void say_latest(const struct tune *t)
{
    struct table table = {0};
    const struct tune_record *best = tune_best(t);
    size_t from = t->count > LATEST ? t->count - LATEST : 0;
    columns(&table, t);
    if (best)
        put_record(&table, t, best, GOOD);
    for (size_t i = from; i < t->count; i++)
        put_record(&table, t, &t->records[i], &t->records[i] == best ? GOOD : PLAIN);
    table_print(&table, &t->job->out);
    table_done(&table);
}

static size_t count_lines(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void erase(struct tune *t)
{
    if (t->drawn)
        say(&t->job->out, "\033[%zuA\r\033[J", t->drawn);
    t->drawn = 0;
}

static void draw(struct tune *t)
{
    struct console *c = &t->job->out;
    progress_clear(&t->job->progress);
    erase(t);
    size_t before = count_lines(str_text(&c->pending));
    say_what(t);
    say_pace(t);
    say_text(c, "\n");
    say_latest(t);
    t->drawn = count_lines(str_text(&c->pending)) - before;
    t->drawn_at = now_seconds();
    console_flush(c);
}

void tune_say_begin(struct tune *t)
{
    struct console *c = &t->job->out;
    if (t->job->set.json || live(t))
        return;
    say_what(t);
    if (t->found)
        say(c, "  goes on after what is in %s\n", t->job->set.save);
    console_flush(c);
}

void tune_say_record(struct tune *t, const struct tune_record *r)
{
    struct console *c = &t->job->out;
    struct str text = {0};
    if (live(t) && now_seconds() - t->drawn_at > draw_every_s)
        draw(t);
    if (live(t) || t->job->set.json || t->job->set.quiet)
        return;
    progress_clear(&t->job->progress);
    str_fmt(&text, "  trial %-4u %s ", r->trial, t->judged.metrics[0].name);
    if (*r->reason) {
        str_fmt(&text, "failed: %s", r->reason);
    } else {
        put_value(&text, r->value[0]);
        str_put(&text, "  ");
        put_seconds(&text, r->train_s + r->eval_s);
        str_put(&text, "  ");
    }
    if (!*r->reason)
        put_point(&text, t, r);
    say(c, "%s%s\n", str_text(&text), r == tune_best(t) ? "  best so far" : "");
    str_done(&text);
    console_flush(c);
}

/* ---- the end ---- */

static void say_importance(const struct tune *t)
{
    double share[SPACE_MOST];
    struct str text = {0};
    if (!tune_importance(t, share))
        return;
    str_put(&text, "What mattered, as the share of the differences that an option explains by "
                   "itself:");
    for (size_t n = 0; n < t->space.count; n++) {
        size_t most = 0;
        for (size_t i = 0; i < t->space.count; i++)
            most = share[i] > share[most] ? i : most;
        str_fmt(&text, "%s %s %.0f %%", n ? "," : "", t->space.option[most].row->name,
                share[most] * 100);
        share[most] = -1;
    }
    say_text(&t->job->out, "\n");
    say_paragraph(&t->job->out, 2, str_text(&text));
    str_done(&text);
}

/* One row of what was found; its options stand below it, all of them. */
static void put_found(struct table *table, const struct tune *t, const char *name,
                      const struct tune_record *r, enum style style)
{
    struct str point = {0};
    table_put(table, PLAIN, name);
    table_cell(table, "%u", r->trial);
    put_value(table_open(table, style), r->value[0]);
    table_close(table);
    put_seconds(table_open(table, PLAIN), r->train_s);
    table_close(table);
    put_point(&point, t, r);
    table_note(table, str_text(&point));
    table->text.failed |= point.failed;
    str_done(&point);
}

static void say_found(const struct tune *t, const struct tune_record *best)
{
    const struct tune_record *first = tune_find(t, 1, t->set.rungs - 1);
    struct console *c = &t->job->out;
    struct table table = {.indent = 2};
    bool better = first && first != best && !*first->reason;
    table_column(&table, "", LEFT, false);
    table_column(&table, "trial", RIGHT, false);
    table_column(&table, t->judged.metrics[0].name, RIGHT, false);
    table_column(&table, "train", RIGHT, false);
    put_found(&table, t, "best", best, GOOD);
    if (better)
        put_found(&table, t, "first", first, PLAIN);
    table_print(&table, c);
    table_done(&table);
    if (first == best)
        say_text(c, "  nothing was better than where the search began\n");
}

static void say_text_end(struct tune *t, const char *ini)
{
    struct console *c = &t->job->out;
    const struct tune_record *best = tune_best(t);
    size_t failed = count_failed(t);
    progress_clear(&t->job->progress);
    erase(t);
    if (live(t))
        say_what(t);
    say_pace(t);
    say_text(c, "\n");
    if (best)
        say_found(t, best);
    if (failed)
        say(c, "  %zu failed: %s says why\n", failed, t->job->set.save);
    say_importance(t);
    if (ini)
        say(c, "\n  palate train --config %s\n", ini);
}

static void emit_found(struct emit *e, const struct tune *t, const char *key,
                       const struct tune_record *r)
{
    if (!r) {
        emit_string(e, key, NULL);
        return;
    }
    emit_open(e, key, '{');
    emit_uint(e, "trial", r->trial);
    emit_uint(e, "rung", r->rung);
    tune_emit_record(e, t, r);
    emit_close(e, '}');
}

static void say_json_end(struct tune *t, const char *ini)
{
    struct emit e = {0}, header = {.compact = true};
    double share[SPACE_MOST];
    tune_emit_header(&header, t);
    emit_open(&e, NULL, '{');
    emit_raw(&e, "search", str_text(&header.text));
    emit_uint(&e, "trials", trials_ended(t));
    emit_uint(&e, "runs", t->count);
    emit_uint(&e, "failed", count_failed(t));
    emit_number(&e, "seconds", tune_elapsed(t));
    emit_found(&e, t, "best", tune_best(t));
    emit_found(&e, t, "first", tune_find(t, 1, t->set.rungs - 1));
    if (tune_importance(t, share)) {
        emit_open(&e, "importance", '{');
        for (size_t i = 0; i < t->space.count; i++)
            emit_number(&e, t->space.option[i].row->name, share[i]);
        emit_close(&e, '}');
    }
    emit_string(&e, "trials_file", t->job->set.save);
    emit_string(&e, "config", ini);
    emit_close(&e, '}');
    e.text.failed |= header.text.failed;
    str_done(&header.text);
    emit_say(&e, &t->job->out);
}

void tune_say_end(struct tune *t, const char *ini)
{
    if (t->job->set.json)
        say_json_end(t, ini);
    else
        say_text_end(t, ini);
}
