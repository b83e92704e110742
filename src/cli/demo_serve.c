/* The demonstration's last step: the data in a store, and a server on top. See demo.h. */
#include "cli/demo.h"

#include "cli/import_store.h"
#include "cli/running.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CALLS = 3, LOOK_MS = 100, ANSWER_MOST = 1 << 20, SHOWN = 200 };

/* A call to try, and the member of its answer that tells whether it worked. */
struct call {
    char line[1024];
    const char *about, *member;
};

static void make_calls(struct demo *demo, const char *url, struct call *call)
{
    const struct dataset *d = demo->data;
    const char *user = intern_text(&d->users.ids, demo_somebody(d, d->all.users / 4));
    const char *item = intern_text(&d->items.ids, demo_best_known(d, &demo->job->arena));
    char path[400], body[700];
    snprintf(path, sizeof path, "%s/v1/users/%.200s/recommendations?n=5&explain=1", url, user);
    snprintf(call[0].line, sizeof call[0].line, "curl -s %s", demo_quoted(demo, path));
    snprintf(body, sizeof body,
             "{\"user_id\": \"you\", \"item_id\": \"%.256s\", "
             "\"type\": \"like\"}",
             item);
    snprintf(call[1].line, sizeof call[1].line, "curl -s %s/v1/events -H %s -d %s", url,
             "'Content-Type: application/json'", demo_quoted(demo, body));
    snprintf(path, sizeof path, "%s/v1/users/you/recommendations?n=5", url);
    snprintf(call[2].line, sizeof call[2].line, "curl -s %s", demo_quoted(demo, path));
    call[0].about = "what one of them may like, and why";
    call[0].member = "items";
    call[1].about = "tell it what you like";
    call[1].member = "accepted";
    call[2].about = "the next answer knows";
    call[2].member = "items";
}

/* The store's data and models live where the demonstration keeps its things. */
static enum pal_status fill_store(struct demo *demo, struct pal_error *err)
{
    char command[PATH_MAX + 128];
    demo_step(
        demo, "Serve",
        "All of it goes into a store, and a server answers from it over HTTP. What it is told "
        "counts for the very next answer and survives a power cut; it trains again by itself.");
    snprintf(command, sizeof command, "palate import %s --store %s", demo->shown, DEMO_STORE);
    enum pal_status st = demo_by_hand(demo, command, err);
    demo->job->set.store = DEMO_STORE;
    demo->job->set.models = DEMO_MODELS;
    say_text(&demo->job->out, "   ");
    if (!st)
        st = import_into_store(demo->job, demo->path, err);
    say_text(&demo->job->out, "\n");
    snprintf(command, sizeof command, "palate serve --store %s --models %s", DEMO_STORE,
             DEMO_MODELS);
    return st ? st : demo_by_hand(demo, command, err);
}

/* On the usual port, or on a free one if somebody else has that or the checks don't care. */
static enum pal_status start(struct demo *demo, const struct log *log, struct running **out,
                             struct pal_error *err)
{
    struct serving o;
    struct job *job = demo->job;
    if (job->set.once && !job_given(job, "listen"))
        job->set.listen = "127.0.0.1:0";
    enum pal_status st = serving_make(job, &o, err);
    if (!st)
        st = running_start(job, &o, log, out, err);
    if (st != PAL_EIO || job->set.once || job_given(job, "listen"))
        return st;
    o.http.listen = "127.0.0.1:0";
    return running_start(job, &o, log, out, err);
}

/* What the command prints, in tmp. */
static enum pal_status output_of(const char *command, struct arena *tmp, const char **out,
                                 struct pal_error *err)
{
    struct str text = {0};
    char part[4096];
    size_t n;
    FILE *f = popen(command, "re");
    while (f && text.len < ANSWER_MOST && (n = fread(part, 1, sizeof part, f)) > 0)
        str_add(&text, part, n);
    int status = f ? pclose(f) : -1;
    *out = str_ok(&text) ? arena_text(tmp, str_text(&text), text.len) : NULL;
    str_done(&text);
    if (status)
        return pal_fail(err, PAL_EIO, "this did not work (is curl installed?): %.300s", command);
    return *out ? PAL_OK : pal_no_memory(err);
}

/* Makes a call as it was printed, and looks at the answer. */
static enum pal_status check(struct demo *demo, const struct call *call, struct pal_error *err)
{
    const char *answer;
    char shown[SHOWN + 8];
    enum pal_status st = output_of(call->line, &demo->job->arena, &answer, err);
    json_t *json = st ? NULL : json_loads(answer, 0, NULL);
    json_t *member = json_object_get(json, call->member);
    if (!st && !json_array_size(member) && json_integer_value(member) != 1)
        st = pal_fail(err, PAL_EIO, "%.200s answered %.200s", call->line, answer);
    if (!st) {
        snprintf(shown, sizeof shown, "%.*s%s", SHOWN, answer, strlen(answer) > SHOWN ? "…" : "");
        say(&demo->job->out, "     %s\n", shown);
    }
    json_decref(json);
    return st;
}

static enum pal_status say_calls(struct demo *demo, const char *url, struct pal_error *err)
{
    struct console *c = &demo->job->out;
    struct call call[CALLS];
    enum pal_status st = PAL_OK;
    make_calls(demo, url, call);
    say_text(c, "   It runs at ");
    say_styled(c, BOLD, url);
    say_text(c, ", with a page to look at. To try from another terminal:\n\n");
    for (size_t i = 0; i < CALLS && !st; i++) {
        say(c, "   # %s\n   %s\n", call[i].about, call[i].line);
        if (demo->job->set.once)
            st = check(demo, &call[i], err);
    }
    say_text(c, "\n");
    return st ? st : job_flush(demo->job, err);
}

enum pal_status demo_serve(struct demo *demo, struct pal_error *err)
{
    struct running *s = NULL;
    const struct log log = {STDERR_FILENO, false};
    enum pal_status st = fill_store(demo, err);
    if (!st)
        st = start(demo, &log, &s, err);
    if (!st)
        st = say_calls(demo, running_url(s), err);
    if (!st)
        demo_say_next(demo);
    if (!st && !demo->job->set.once) {
        say_text(&demo->job->out, "\nThe server runs until Ctrl-C.\n");
        st = job_flush(demo->job, err);
        while (!st && !*interrupt_flag())
            poll(NULL, 0, LOOK_MS);
        interrupt_forget();
    }
    running_stop(s);
    if (!st)
        say(&demo->job->out, "\n%s\n",
            demo->job->set.once ? "The server answered as it should." : "The server has stopped.");
    return st;
}
