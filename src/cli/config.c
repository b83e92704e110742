/* The config file: INI, read by libinih. See command.h.
 *
 *     data = ml-1m            any option of any command
 *     [eval]                  only for palate eval
 *     split = random:60/20/20
 *     [als]                   options of a model, as --set als.factors=128
 *     factors = 128
 *     [synth]                 the same for the synthetic world
 *     users = 500
 *     [engine]                and for the parts of palate serve
 *     explore = 0.1 */
#include "cli/plan.h"
#include "cli/serving.h"

#include "data/synth.h"
#include "model/model.h"

#include <errno.h>
#include <ini.h>
#include <string.h>

struct reading {
    struct job *job;
    struct pal_error *err;
    enum pal_status st;
};

static const struct opt_table *model_options(const char *section)
{
    const struct model_ops *ops = plan_find(section);
    if (ops)
        return &ops->options;
    return strcmp(section, "synth") == 0 ? &synth_table : serving_table(section);
}

static enum pal_status set_of_model(struct reading *r, const struct opt_table *table,
                                    const char *section, const char *name, const char *value)
{
    if (!opt_find(table, name))
        return pal_fail(r->err, PAL_EUSAGE, "[%s] has no option '%s': see palate help %s", section,
                        name, section);
    if (!command_takes(r->job->command, option_index("set", 3)))
        return PAL_OK;
    _Alignas(16) char tried[1024]; /* set here first, so that an error has the line */
    enum pal_status st = opt_set(table, tried, name, value, r->err);
    if (st)
        return pal_within(r->err, st, "[%s]", section);
    struct str text = {0};
    str_fmt(&text, "%s.%s=%s", section, name, value);
    st = str_ok(&text)
             ? job_set(r->job, option_index("set", 3), str_text(&text), FROM_FILE, NULL, r->err)
             : pal_no_memory(r->err);
    str_done(&text);
    return st;
}

static enum pal_status set_option(struct reading *r, const char *section, const char *name,
                                  const char *value)
{
    const struct command *command =
        *section && strcmp(section, "palate") != 0 ? command_find(section) : r->job->command;
    const struct opt_table *table = model_options(section);
    if (table)
        return set_of_model(r, table, section, name, value);
    if (!command)
        return pal_fail(r->err, PAL_EUSAGE, "[%s] is neither a command nor a model", section);
    int i = option_index(name, strlen(name));
    if (i < 0 || options[i].hidden || strcmp(name, "config") == 0)
        return pal_fail(r->err, PAL_EUSAGE, "there is no option '%s'", name);
    if (command != r->job->command || !command_takes(command, i))
        return PAL_OK; /* another command's */
    return job_set(r->job, i, value, FROM_FILE, NULL, r->err);
}

/* libinih goes on after an error but remembers its line. */
static int on_entry(void *ctx, const char *section, const char *name, const char *value)
{
    struct reading *r = ctx;
    if (!r->st)
        r->st = set_option(r, section, name, value ? value : "true");
    return r->st == PAL_OK;
}

enum pal_status config_read(struct job *job, const char *path, bool must_exist,
                            struct pal_error *err)
{
    struct reading r = {job, err, PAL_OK};
    FILE *f = fopen(path, "re");
    if (!f && !must_exist && errno == ENOENT)
        return PAL_OK;
    if (!f)
        return pal_fail(err, errno == ENOENT ? PAL_ENOTFOUND : PAL_EIO,
                        "can't read the config file %s: %s", path, strerror(errno));
    int line = ini_parse_file(f, on_entry, &r);
    bool unreadable = ferror(f) != 0;
    int reason = errno;
    fclose(f);
    if (r.st)
        return pal_within(err, r.st, "%s:%d", path, line);
    if (unreadable)
        return pal_fail(err, PAL_EIO, "can't read the config file %s: %s", path, strerror(reason));
    if (line != 0)
        return pal_fail(err, PAL_EUSAGE, "%s:%d: expected 'name = value' or '[section]'", path,
                        line < 0 ? 1 : line);
    return PAL_OK;
}
