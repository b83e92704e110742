/* See source.h. */
#include "cli/source.h"

#include "base/file.h"
#include "base/text.h"
#include "data/load.h"
#include "data/synth.h"
#include "data/weights.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char synthetic[] = "synthetic";

bool source_is_synthetic(const char *path)
{
    size_t len = sizeof synthetic - 1;
    return strncmp(path, synthetic, len) == 0 && (!path[len] || path[len] == ':');
}

/* Takes the part of "synth.users=500" behind the dot. */
static enum pal_status set_synth(struct synth_options *o, const char *text, struct pal_error *err)
{
    char name[64];
    size_t len = strcspn(text, "=");
    if (!text[len] || len >= sizeof name)
        return pal_fail(err, PAL_EUSAGE, "--set synth.%s: expected synth.OPTION=VALUE", text);
    snprintf(name, sizeof name, "%.*s", (int)len, text);
    enum pal_status st = opt_set(&synth_table, o, name, text + len + 1, err);
    return st ? pal_within(err, st, "--set synth.%s", text) : PAL_OK;
}

/* --set as a flag where it changes nothing is a mistake. */
static enum pal_status check_sets(const struct job *job, const char *path, struct pal_error *err)
{
    bool models = command_takes(job->command, option_index("model", 5)) ||
                  command_takes(job->command, option_index("rounds", 6)); /* the server's, too */
    for (size_t i = 0; i < job->set_count; i++) {
        const char *text = job->sets[i].text;
        bool synth = strncmp(text, "synth.", 6) == 0;
        if (job->sets[i].origin != FROM_FLAG)
            continue;
        if (synth && path && !source_is_synthetic(path))
            return pal_fail(err, PAL_EUSAGE, "--set %s: the data are not synthetic", text);
        if (!synth && !models)
            return pal_fail(err, PAL_EUSAGE, "--set %s: palate %s takes synth.OPTION=VALUE only",
                            text, job->command->name);
    }
    return PAL_OK;
}

enum pal_status source_invent(struct job *job, uint64_t seed, struct dataset **out,
                              struct pal_error *err)
{
    struct synth_options o;
    struct world *world = NULL;
    enum pal_status st = check_sets(job, NULL, err);
    opt_defaults(&synth_table, &o);
    for (size_t i = 0; i < job->set_count && !st; i++)
        if (strncmp(job->sets[i].text, "synth.", 6) == 0)
            st = set_synth(&o, job->sets[i].text + 6, err);
    if (!st)
        st = world_new(&o, seed, &job->run, &world, err);
    if (!st)
        st = world_dataset(world, out, err);
    world_free(world);
    return st;
}

const char *source_look_up(const char *path, char *buf, size_t size)
{
    const char *home = getenv("PALATE_DATA");
    if (!home || *path == '/' || file_exists(path) || file_is_dir(path))
        return path;
    if (file_join(buf, size, home, path, NULL))
        return path;
    return file_exists(buf) || file_is_dir(buf) ? buf : path;
}

/* PALATE_DATA may be one data set, or a folder of them in which --data looks up names: what is
 * likely to have gone wrong with that, behind the message that there is. */
static enum pal_status explain(const struct job *job, const char *path, enum pal_status st,
                               struct pal_error *err)
{
    struct pal_error was = *err;
    char buf[PATH_MAX];
    bool name = !strchr(path, '/') && !file_exists(source_look_up(path, buf, sizeof buf));
    if (name && st != PAL_EINTERRUPTED)
        return pal_fail(err, st, "%.400s, %s", was.message,
                        getenv("PALATE_DATA") ? "neither here nor in $PALATE_DATA"
                                              : "and PALATE_DATA names no folder to look in");
    if (job->origin[option_index("data", 4)] != FROM_ENVIRONMENT || path != job->set.data ||
        st == PAL_EINTERRUPTED)
        return st;
    return pal_fail(err, st, "PALATE_DATA: %.400s; --data names another, or one inside it",
                    was.message);
}

static enum pal_status load_path(struct job *job, const char *path, struct dataset **out,
                                 struct pal_error *err)
{
    char buf[PATH_MAX];
    struct load_options o = {
        .format = job->set.format,
        .columns = job->set.columns,
        .skip_bad = (uint64_t)job->set.skip_bad,
        .fold = job->set.fold,
    };
    enum pal_status st =
        dataset_load(source_look_up(path, buf, sizeof buf), &o, &job->run, out, err);
    return st ? explain(job, path, st, err) : PAL_OK;
}

enum pal_status source_load(struct job *job, const char *path, struct dataset **out,
                            struct pal_error *err)
{
    if (!path)
        path = job->set.data;
    if (!path || !*path)
        return pal_fail(err, PAL_EUSAGE,
                        "which data? Give --data PATH or set PALATE_DATA; --data synthetic "
                        "invents some, --data sqlite:palate.db takes what a server collected");
    enum pal_status st = check_sets(job, path, err);
    if (st)
        return st;
    progress_label(&job->progress, "");
    if (source_is_store(path))
        return source_load_store(job, path, out, err);
    if (!source_is_synthetic(path))
        return load_path(job, path, out, err);
    uint64_t seed = (uint64_t)job->set.seed;
    const char *colon = strchr(path, ':');
    if (colon && !text_u64(colon + 1, colon + strlen(colon), &seed))
        return pal_fail(err, PAL_EUSAGE, "--data %s: expected synthetic:SEED, a whole number",
                        path);
    return source_invent(job, seed, out, err);
}

/* Nothing is learned from data in which no event speaks for an item. */
static enum pal_status check_weights(const struct dataset *d, const struct weights *w,
                                     const char *text, struct pal_error *err)
{
    const struct interactions *x = &d->all;
    uint64_t n = interactions_count(x);
    if (!n)
        return pal_fail(err, PAL_EFORMAT, "%s holds no events: nothing can be learned from it",
                        d->name);
    for (uint64_t i = 0; i < n; i++)
        if (weights_of(w, d->types.name[interactions_type(x, i)], interactions_value(x, i)) > 0)
            return PAL_OK;
    char names[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < d->types.count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 d->types.name[i]);
    return pal_fail(err, PAL_EUSAGE,
                    "weights: by '%s' no event of %s is worth more than 0, so there is nothing to "
                    "learn; its events are of type %s",
                    text, d->name, names);
}

enum pal_status source_weights(const struct job *job, const struct dataset *d, struct weights *out,
                               const char **text, struct pal_error *err)
{
    *text = job->set.weights ? job->set.weights : d->weights ? d->weights : weights_default;
    enum pal_status st = weights_parse(*text, out, err);
    return st ? st : check_weights(d, out, *text, err);
}

enum pal_status source_memory(const struct job *job, uint64_t *bytes, struct pal_error *err)
{
    static const char units[] = "kmgt";
    const char *text = job->set.memory;
    *bytes = 0;
    if (!text)
        return PAL_OK;
    size_t len = strspn(text, "0123456789.");
    const char *unit = text + len + strspn(text + len, " ");
    double x, step = 1000, scale = 1;
    bool ok = text_real(text, text + len, &x) && x > 0;
    const char *known = *unit ? strchr(units, *unit | 0x20) : NULL;
    if (known) {
        unit++;
        if (*unit == 'i') {
            step = 1024;
            unit++;
        }
        for (const char *u = units; u <= known; u++)
            scale *= step;
    }
    unit += *unit == 'b' || *unit == 'B';
    if (!ok || *unit || x * scale < 1 || x * scale > 1e18)
        return pal_fail(err, PAL_EUSAGE, "memory = '%s' is not allowed: give a size such as 4G",
                        text);
    *bytes = (uint64_t)(x * scale);
    return PAL_OK;
}
