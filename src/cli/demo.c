/* palate demo: the whole way from data to recommendations, each step with the command that does it
 * by hand. */
#include "cli/demo.h"

#include "base/file.h"
#include "cli/answer.h"
#include "cli/publish.h"
#include "cli/source.h"
#include "cli/stats.h"
#include "cli/tracking.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char demo_metrics[] = "ndcg@10,precision@10,coverage@10";
static const char demo_split[] = "random:80/20";

enum { PEOPLE = 3, FEWEST = 20, ANSWERS = 5, WIDEST = 100 };

#define SAFE "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%"

/* Whether dir/name holds a MovieLens set; then its path is in buf. */
static bool has_movielens(const char *dir, const char *name, char *buf, size_t size)
{
    static const char *const ratings[] = {"ratings.dat", "ratings.csv", "u.data"};
    char file[PATH_MAX];
    for (size_t i = 0; i < sizeof ratings / sizeof ratings[0]; i++) {
        if (!file_join(buf, size, dir, name, NULL) &&
            !file_join(file, sizeof file, buf, ratings[i], NULL) && file_exists(file))
            return true;
    }
    return false;
}

/* What --data names; else MovieLens in $PALATE_DATA or ../shared/data; else an invented world. */
static void choose_data(struct demo *demo)
{
    static const char *const names[] = {"ml-1m", "ml-latest-small", "ml-100k"};
    const char *places[] = {getenv("PALATE_DATA"), "../shared/data"};
    const struct job *job = demo->job;
    if (job->origin[option_index("data", 4)] == FROM_FLAG ||
        job->origin[option_index("data", 4)] == FROM_FILE) {
        snprintf(demo->path, sizeof demo->path, "%s", job->set.data);
        demo->given = true;
        return;
    }
    for (size_t p = 0; p < 2; p++)
        for (size_t i = 0; i < 3 && places[p] && *places[p]; i++)
            if (has_movielens(places[p], names[i], demo->path, sizeof demo->path))
                return;
    if (places[0] && *places[0] && has_movielens(places[0], ".", demo->path, sizeof demo->path))
        snprintf(demo->path, sizeof demo->path, "%s", places[0]);
    else
        snprintf(demo->path, sizeof demo->path, "synthetic");
}

void demo_step(struct demo *demo, const char *title, const char *text)
{
    struct console *c = &demo->job->out;
    char heading[80];
    snprintf(heading, sizeof heading, "%d  %s", ++demo->step, title);
    say_heading(c, heading);
    say_paragraph(c, 3, text);
}

/* The command, broken before options where the line gets too long. */
enum pal_status demo_by_hand(struct demo *demo, const char *command, struct pal_error *err)
{
    struct console *c = &demo->job->out;
    size_t width = c->width && c->width < WIDEST ? c->width : WIDEST, column = 5;
    say_text(c, "   ");
    say_styled(c, DIM, "$ ");
    while (*command) {
        const char *end = strstr(command + 1, " --");
        size_t len = end ? (size_t)(end - command) : strlen(command);
        if (column > 5 && column + len + 2 > width) {
            say_styled(c, DIM, " \\\n    ");
            column = 4;
        }
        char part[PATH_MAX + 64];
        snprintf(part, sizeof part, "%.*s", (int)len, command);
        say_styled(c, DIM, part);
        column += len;
        command += len;
    }
    say_text(c, "\n\n");
    return job_flush(demo->job, err);
}

const char *demo_quoted(struct demo *demo, const char *word)
{
    struct str out = {0};
    if (*word && strspn(word, SAFE) == strlen(word))
        return word;
    str_char(&out, '\'');
    for (const char *p = word; *p; p++)
        if (*p == '\'')
            str_put(&out, "'\\''");
        else
            str_char(&out, *p);
    str_char(&out, '\'');
    const char *kept = str_ok(&out) ? arena_text(&demo->job->arena, out.text, out.len) : NULL;
    str_done(&out);
    return kept ? kept : word;
}

/* One data set to a folder: two worlds in one store would be people who liked items of both, and
 * their ids may be the same. What it holds stands in a file, as a fingerprint and a name. */
static enum pal_status claim_folder(struct demo *demo, struct pal_error *err)
{
    static const char path[] = DEMO_FOLDER "/DATA";
    struct file_map was;
    char print[24], text[280];
    snprintf(print, sizeof print, "%016llx", (unsigned long long)dataset_fingerprint(demo->data));
    snprintf(text, sizeof text, "%s %.250s\n", print, demo->data->name);
    if (file_exists(path)) {
        enum pal_status st = file_map(path, &was, err);
        if (st)
            return st;
        bool same = was.size >= 16 && memcmp(was.data, print, 16) == 0;
        file_unmap(&was);
        return same ? PAL_OK
                    : pal_fail(err, PAL_EUSAGE,
                               "the folder %s is of a demo with other data than %s: delete it, or "
                               "run palate demo in another folder",
                               DEMO_FOLDER, demo->data->name);
    }
    return file_put(path, text, strlen(text), err);
}

static enum pal_status show_data(struct demo *demo, struct pal_error *err)
{
    struct stats s = {0};
    char command[PATH_MAX + 64];
    bool invented = source_is_synthetic(demo->path);
    demo_step(demo, "The data",
              !invented ? "Who liked what, read as it was published."
              : demo->given
                  ? "An invented world of films, and people with tastes that drift."
                  : "No MovieLens is at hand (set PALATE_DATA to its folder), so here is an "
                    "invented world of films, and people with tastes that drift.");
    snprintf(command, sizeof command, "palate stats --data %s", demo->shown);
    enum pal_status st = demo_by_hand(demo, command, err);
    if (!st)
        st = source_load(demo->job, demo->path, &demo->data, err);
    if (!st)
        st = stats_make(demo->data, &demo->job->run, &s, err);
    if (!st)
        stats_say_brief(&demo->job->out, demo->data, &s);
    stats_done(&s);
    return st ? st : claim_folder(demo, err);
}

/* Of these models those that suit the data, joined by commas; in the job's arena, NULL when memory
 * is out. */
static const char *suited(struct demo *demo, const char *const *models, size_t count)
{
    struct str out = {0};
    for (size_t i = 0; i < count; i++)
        if (plan_suits(models[i], demo->data))
            str_fmt(&out, "%s%s", out.len ? "," : "", models[i]);
    const char *kept = str_ok(&out) ? arena_text(&demo->job->arena, out.text, out.len) : NULL;
    str_done(&out);
    return kept;
}

static enum pal_status show_comparison(struct demo *demo, struct pal_error *err)
{
    static const char *const all[] = {"als", "ease", "knn", "content", "popular", "random"};
    static const char *const lead[][4] = {{"als", "ease", "content", "popular"},
                                          {"ease", "als", "content", "popular"}};
    struct plan plan;
    struct trials *t = &demo->judged;
    char command[PATH_MAX + 256];
    const char *models = suited(demo, all, 6);
    if (!models)
        return pal_no_memory(err);
    demo_step(
        demo, "Which model is good?",
        "A fifth of what people did is hidden. Models learn from the rest and rank all items for "
        "each person; the more of the hidden ones stand on top, the better. To be worth "
        "anything a model must beat 'popular', which tells everybody the same.");
    snprintf(command, sizeof command, "palate eval --data %s --split %s --model %s --metrics %s",
             demo->shown, demo_split, models, demo_metrics);
    enum pal_status st = demo_by_hand(demo, command, err);
    if (!st)
        st = plan_make(demo->job, models, demo->data, 0, &plan, err);
    if (!st)
        st = trials_run(demo->job, demo->data, &plan, demo_split, demo_metrics, 0, t, err);
    if (st)
        return st;
    trials_say(&demo->job->out, t);
    bool ease = t->trials[t->best].variant->ops == model_find("ease");
    demo->models = suited(demo, lead[ease], 4);
    return demo->models ? PAL_OK : pal_no_memory(err);
}

/* Publishes what was judged, and keeps the record that palate train would. */
static enum pal_status train_and_record(struct demo *demo, struct plan *plan, struct published *p,
                                        struct pal_error *err)
{
    struct tracking tracking = {0};
    struct job *job = demo->job;
    job->set.models = DEMO_MODELS;
    enum pal_status st = tracking_open(job, &tracking, err);
    if (st)
        return st;
    tracking_begin(&tracking, job, demo->data);
    st = plan_make(job, demo->models, demo->data, 0, plan, err);
    if (!st)
        st = trials_keep(job, &demo->judged, plan, err); /* judged once is enough */
    if (!st)
        st = publish(job, demo->data, plan, &demo->judged, NULL, DEMO_MODELS, 0, p, err);
    if (!st)
        tracking_version(&tracking, plan, p, &demo->judged);
    tracking_close(&tracking, job, st, err);
    return st;
}

static enum pal_status show_training(struct demo *demo, struct pal_error *err)
{
    struct plan plan;
    struct published p;
    char command[PATH_MAX + 256];
    demo_step(
        demo, "Train and publish",
        "Now on all of the data, and written as a version from which answers come, with how good "
        "its models were; the one that is named first gives them. An earlier version can be made "
        "the live one again.");
    snprintf(command, sizeof command,
             "palate train --data %s --split %s --model %s --metrics %s --models %s", demo->shown,
             demo_split, demo->models, demo_metrics, DEMO_MODELS);
    enum pal_status st = demo_by_hand(demo, command, err);
    if (!st)
        st = train_and_record(demo, &plan, &p, err);
    if (!st)
        publish_say(&demo->job->out, &plan, &p, NULL, DEMO_MODELS);
    return st;
}

static uint64_t activity(const struct dataset *d, uint32_t user)
{
    return d->all.start[user + 1] - d->all.start[user];
}

uint32_t demo_somebody(const struct dataset *d, uint32_t from)
{
    for (uint32_t u = from; u < d->all.users; u++)
        if (activity(d, u) >= FEWEST)
            return u;
    return from;
}

static enum pal_status answer_user(struct demo *demo, const struct recommender *r, uint32_t user,
                                   struct pal_error *err)
{
    const struct dataset *d = demo->data;
    const struct items *items = recommender_items(r);
    struct console *c = &demo->job->out;
    struct arena *tmp = &demo->job->arena;
    const char *id = intern_text(&d->users.ids, user);
    const char *rules = demo->job->set.weights ? demo->job->set.weights
                        : d->weights           ? d->weights
                                               : weights_default;
    struct recommendation list[ANSWERS];
    struct answer a = {0, list};
    struct request q = {.n = ANSWERS, .explain = 1};
    enum pal_status st = answer_history(r, d, id, rules, tmp, &q.history, err);
    if (!st)
        st = recommend(r, &q, tmp, list, &a.count, err);
    if (st)
        return st;
    char name[300];
    snprintf(name, sizeof name, "User %s", id);
    say_text(c, "   ");
    say_styled(c, BOLD, name);
    say_text(c, " liked\n");
    answer_say_history(c, 5, items, &q.history);
    say_text(c, "   and may like\n");
    answer_say(c, 3, items, &a);
    return PAL_OK;
}

static enum pal_status show_answers(struct demo *demo, struct pal_error *err)
{
    struct recommender *r = NULL;
    struct registry_version v;
    const struct dataset *d = demo->data;
    char command[512];
    uint32_t user[PEOPLE];
    for (uint32_t i = 0; i < PEOPLE; i++)
        user[i] = demo_somebody(d, (uint32_t)((uint64_t)d->all.users * (i + 1) / (PEOPLE + 1)));
    demo_step(
        demo, "Recommend",
        "For three people: what they have not met yet, best first, and which of the films that "
        "they liked speak for it.");
    snprintf(command, sizeof command, "palate recommend --models %s --user %.256s -n %d --explain",
             DEMO_MODELS, demo_quoted(demo, intern_text(&d->users.ids, user[0])), ANSWERS);
    enum pal_status st = demo_by_hand(demo, command, err);
    if (!st)
        st = registry_current(DEMO_MODELS, &v, err);
    if (!st)
        st = recommender_open(v.path, NULL, &r, err);
    for (size_t i = 0; i < PEOPLE && !st; i++) {
        say_text(&demo->job->out, i ? "\n" : "");
        st = answer_user(demo, r, user[i], err);
    }
    recommender_free(r);
    return st;
}

uint32_t demo_best_known(const struct dataset *d, struct arena *tmp)
{
    uint32_t *count = arena_zero(tmp, d->all.items, sizeof *count), best = 0;
    for (uint64_t i = 0; count && i < interactions_count(&d->all); i++)
        if (++count[d->all.item[i]] > count[best])
            best = d->all.item[i];
    return best;
}

/* Whether a shell that is given "palate" finds one. */
static bool is_installed(void)
{
    const char *places = getenv("PATH");
    char file[PATH_MAX];
    while (places && *places) {
        size_t len = strcspn(places, ":");
        int made = snprintf(file, sizeof file, "%.*s/palate", (int)len, places);
        if (len && made < (int)sizeof file && access(file, X_OK) == 0)
            return true;
        places += len + (places[len] == ':');
    }
    return false;
}

/* How a shell comes to know the commands that were printed, where it doesn't. */
static void say_path(struct demo *demo)
{
    char program[PATH_MAX];
    ssize_t len = is_installed() ? 0 : readlink("/proc/self/exe", program, sizeof program - 1);
    if (len <= 0)
        return;
    program[len] = '\0';
    char *end = strrchr(program, '/');
    *end = '\0';
    say(&demo->job->out, "   export PATH=%s:$PATH\n", demo_quoted(demo, program));
}

void demo_say_next(struct demo *demo)
{
    struct console *c = &demo->job->out;
    uint32_t known = demo_best_known(demo->data, &demo->job->arena);
    const char *item = demo_quoted(demo, items_name(&demo->data->items, known));
    say_heading(c, "What to try next");
    say_path(demo);
    say(c, "   palate similar %s --models %s\n", item, DEMO_MODELS);
    say(c, "   palate recommend --history %s --models %s\n", item, DEMO_MODELS);
    say(c, "   palate stats --data %s\n", demo->shown);
    say(c, "   palate models --models %s\n", DEMO_MODELS);
    say_text(c, "   palate help\n");
    say(c, "What the demo made lies in %s/ and can be deleted.\n", DEMO_FOLDER);
}

enum pal_status demo_run(struct job *job, struct pal_error *err)
{
    struct demo demo = {.job = job};
    enum pal_status st = job_threads(job, err);
    if (!st)
        st = file_make_dir(DEMO_FOLDER, err);
    if (st)
        return st;
    choose_data(&demo);
    job->set.data = demo.path;
    demo.shown = demo_quoted(&demo, demo.path);
    if (!job_given(job, "bootstrap"))
        job->set.bootstrap = 200;
    st = show_data(&demo, err);
    if (!st)
        st = show_comparison(&demo, err);
    if (!st)
        st = show_training(&demo, err);
    if (!st)
        st = show_answers(&demo, err);
    if (!st)
        st = demo_serve(&demo, err);
    trials_done(&demo.judged);
    dataset_free(demo.data);
    return st;
}
