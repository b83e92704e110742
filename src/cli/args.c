/* Reading the words of a command line. See command.h.
 *
 * The words are read twice: once for --help and --config, which say where else to look, and after
 * the config file and the environment once more, so that flags have the last word. */
#include "cli/command.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/scheme.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char always[] = "config quiet";

bool command_takes(const struct command *command, int i)
{
    return option_listed(command->options, i) || option_listed(always, i);
}

static void nearest(const struct command *command, const char *word, size_t len, const char **best,
                    size_t *distance)
{
    char cut[64];
    snprintf(cut, sizeof cut, "%.*s", (int)len, word);
    for (int i = 0; i < (int)option_count; i++) {
        size_t d = opt_distance(cut, options[i].row.name);
        if (command_takes(command, i) && !options[i].hidden && d < *distance) {
            *distance = d;
            *best = options[i].row.name;
        }
    }
}

static enum pal_status unknown(const struct command *command, const char *word,
                               struct pal_error *err)
{
    const char *name = word + strspn(word, "-"), *best = NULL;
    size_t len = strcspn(name, "="), distance = len < 4 ? 2 : 4;
    int elsewhere = option_index(name, len);
    if (elsewhere >= 0 && word[1] == '-')
        return pal_fail(err, PAL_EUSAGE, "palate %s takes no option --%.*s", command->name,
                        (int)len, name);
    nearest(command, name, len, &best, &distance);
    if (best)
        return pal_fail(err, PAL_EUSAGE, "there is no option %.*s: did you mean --%s?",
                        (int)(len + (size_t)(name - word)), word, best);
    return pal_fail(err, PAL_EUSAGE, "there is no option %.*s", (int)(len + (size_t)(name - word)),
                    word);
}

/* What one word says: an option with or without a value behind "=", or none. */
struct word {
    int option; /* -1: not known */
    const char *value;
    bool no; /* --no-NAME */
};

static struct word long_word(const struct command *command, const char *text)
{
    size_t len = strcspn(text, "=");
    struct word w = {option_index(text, len), text[len] ? text + len + 1 : NULL, false};
    if (w.option < 0 && strncmp(text, "no-", 3) == 0) {
        w.option = option_index(text + 3, len - 3);
        w.no = true;
        if (w.option >= 0 && (options[w.option].row.kind != OPT_BOOL || w.value))
            w.option = -1;
    }
    if (w.option >= 0 && !command_takes(command, w.option))
        w.option = -1;
    return w;
}

static int letter_option(const struct command *command, char letter)
{
    for (int i = 0; i < (int)option_count; i++)
        if (options[i].letter == letter && command_takes(command, i))
            return i;
    return -1;
}

/* Where reading stands, and whether it is the first time, which only looks. */
struct reader {
    struct job *job;
    int argc, at;
    char **argv;
    bool looking, help;
    const char *config;
};

static enum pal_status give(struct reader *r, int option, const char *value, struct pal_error *err)
{
    if (!r->looking)
        return job_set(r->job, option, value, FROM_FLAG, NULL, err);
    if (strcmp(options[option].row.name, "config") == 0)
        r->config = value;
    return PAL_OK;
}

/* The value that stands in the next word. */
static enum pal_status next_value(struct reader *r, int option, const char **out,
                                  struct pal_error *err)
{
    if (r->at + 1 >= r->argc)
        return pal_fail(err, PAL_EUSAGE, "option %s wants a value: --%s %s", r->argv[r->at],
                        options[option].row.name, option_value_name(&options[option]));
    *out = r->argv[++r->at];
    return PAL_OK;
}

static enum pal_status read_long(struct reader *r, const char *text, struct pal_error *err)
{
    if (strcmp(text, "help") == 0) {
        r->help = true;
        return PAL_OK;
    }
    struct word w = long_word(r->job->command, text);
    if (w.option < 0)
        return unknown(r->job->command, text - 2, err);
    const char *value = w.value;
    if (!value && options[w.option].row.kind == OPT_BOOL)
        value = w.no ? "false" : "true";
    enum pal_status st = value ? PAL_OK : next_value(r, w.option, &value, err);
    return st ? st : give(r, w.option, value, err);
}

/* "-n10", "-n 10", "-qj". */
static enum pal_status read_letters(struct reader *r, const char *text, struct pal_error *err)
{
    for (; *text; text++) {
        if (*text == 'h') {
            r->help = true;
            continue;
        }
        int option = letter_option(r->job->command, *text);
        if (option < 0)
            return unknown(r->job->command, r->argv[r->at], err);
        const char *value = "true";
        enum pal_status st = PAL_OK;
        bool flag = options[option].row.kind == OPT_BOOL;
        if (!flag && text[1])
            value = text + 1 + (text[1] == '=');
        else if (!flag)
            st = next_value(r, option, &value, err);
        if (!st)
            st = give(r, option, value, err);
        if (st || !flag)
            return st;
    }
    return PAL_OK;
}

static enum pal_status add_operand(struct reader *r, const char *word, struct pal_error *err)
{
    struct job *job = r->job;
    if (r->looking)
        return PAL_OK;
    if (job->operand_count == job->command->operands_most)
        return pal_fail(err, PAL_EUSAGE, "'%s' is one word too many: palate %s %s%s[options]", word,
                        job->command->name, job->command->operands,
                        *job->command->operands ? " " : "");
    if (mem_grow(&job->operands, &job->operand_cap, job->operand_count + 1, sizeof(char *)))
        return pal_no_memory(err);
    job->operands[job->operand_count++] = word;
    return PAL_OK;
}

static enum pal_status read_words(struct reader *r, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    bool options_end = false;
    for (r->at = 0; r->at < r->argc && !st; r->at++) {
        const char *word = r->argv[r->at];
        if (!options_end && strcmp(word, "--") == 0)
            options_end = true;
        else if (!options_end && strncmp(word, "--", 2) == 0)
            st = read_long(r, word + 2, err);
        else if (!options_end && word[0] == '-' && word[1])
            st = read_letters(r, word + 1, err);
        else
            st = add_operand(r, word, err);
    }
    return st;
}

/* PALATE_DATA may be a folder of data sets: then it says where the file's data = NAME is found. */
static bool only_where_to_look(const struct job *job, int option, const char *value)
{
    char inside[PATH_MAX];
    const char *name = job->set.data;
    return option == option_index("data", 4) && name && *name != '/' && file_is_dir(value) &&
           !file_join(inside, sizeof inside, value, name, NULL) && file_exists(inside);
}

/* PALATE_NAME, if it is set to anything. */
static enum pal_status read_variable(struct job *job, int option, const char *of,
                                     struct pal_error *err)
{
    char name[64];
    option_variable(of, name, sizeof name);
    const char *value = getenv(name);
    if (!value || !*value || only_where_to_look(job, option, value))
        return PAL_OK;
    return job_set(job, option, value, FROM_ENVIRONMENT, name, err);
}

static enum pal_status read_environment(struct job *job, struct pal_error *err)
{
    enum pal_status st = PAL_OK;
    for (int i = 0; i < (int)option_count && !st; i++) {
        const char *alias = option_alias(&options[i]);
        if (!command_takes(job->command, i) || options[i].hidden)
            continue;
        st = read_variable(job, i, options[i].row.name, err);
        if (!st && alias)
            st = read_variable(job, i, alias, err);
    }
    return st;
}

/* Events that lie elsewhere and the store with the rest are one store, under one URL. */
static enum pal_status join_events(struct job *job, struct pal_error *err)
{
    const char *events = job->set.events;
    int option = option_index("store", 5);
    enum origin store = job->origin[option], own = job->origin[option_index("events", 6)];
    struct str url = {0};
    if (!events || !*events || scheme_is(job->set.store, "clickhouse"))
        return PAL_OK;
    if (!scheme_is(events, "clickhouse"))
        return pal_fail(err, PAL_EUSAGE,
                        "events can be kept at clickhouse://[USER:PASSWORD@]HOST[:PORT]/DATABASE "
                        "only");
    str_fmt(&url, "%s%scatalog=%s", events, strchr(events, '?') ? "&" : "?", job->set.store);
    enum pal_status st =
        str_ok(&url) ? job_set(job, option, str_text(&url), store > own ? store : own, NULL, err)
                     : pal_no_memory(err);
    str_done(&url);
    return st;
}

enum pal_status args_read(struct job *job, int argc, char **argv, bool *help, struct pal_error *err)
{
    struct reader r = {.job = job, .argc = argc, .argv = argv, .looking = true};
    enum pal_status st = read_words(&r, err);
    *help = r.help;
    if (st || r.help)
        return st;
    const char *named = r.config ? r.config : getenv("PALATE_CONFIG");
    bool must_exist = named && *named;
    job->config = must_exist ? named : NULL;
    st = config_read(job, must_exist ? named : "palate.ini", must_exist, err);
    if (!st)
        st = read_environment(job, err);
    r.looking = false;
    if (!st)
        st = read_words(&r, err);
    return st ? st : join_events(job, err);
}
