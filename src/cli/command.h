/* Commands, and the job that one of them is given to do. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "base/arena.h"
#include "base/run.h"
#include "cli/console.h"
#include "cli/progress.h"
#include "cli/settings.h"

enum origin { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT, FROM_FLAG };

/* One "als.factors=128", and where it was written. */
struct assignment {
    const char *text;
    enum origin origin;
};

struct job {
    const struct command *command;
    struct settings set;
    enum origin origin[OPTIONS_MOST]; /* of each option's value */
    struct assignment *sets;          /* (set_count) --set, in order of precedence */
    size_t set_count, set_cap;
    const char **operands; /* (operand_count) */
    size_t operand_count, operand_cap;
    struct arena arena; /* lives as long as the job */
    struct console out;
    struct progress progress;
    struct run run;     /* pool NULL until job_threads */
    const char *config; /* the file that was asked for; NULL = the usual one, if there is any */
    uint64_t position;  /* of the store's journal, that the data are as of; 0 = not from a store */
};

struct command {
    const char *name;
    const char *brief;    /* one line, no full stop */
    const char *operands; /* "PATH"; "" when there are none */
    size_t operands_most;
    const char *help;     /* paragraphs */
    const char *options;  /* names, separated by blanks */
    const char *examples; /* lines "command\twhat it does" */
    enum pal_status (*run)(struct job *job, struct pal_error *err);
};

/* The table of commands; NULL past the last. */
const struct command *command_at(size_t i);
const struct command *command_find(const char *name);

/* The command of that name or an error that suggests the nearest. */
MUST_USE enum pal_status command_named(const char *name, const struct command **out,
                                       struct pal_error *err);

/* Fills job from the command's defaults, the config file, the environment and argv (argc words
 * after the command's name), each overriding the one before. *help: --help was asked for. */
MUST_USE enum pal_status args_read(struct job *job, int argc, char **argv, bool *help,
                                   struct pal_error *err);

/* Whether the command takes option i of the table in settings.h. */
bool command_takes(const struct command *command, int i);

/* Sets one option from text; where ("palate.ini:3", NULL for a flag) goes before a message. */
MUST_USE enum pal_status job_set(struct job *job, int option, const char *value, enum origin origin,
                                 const char *where, struct pal_error *err);

/* Reads the config file, if there is one. Unknown names are errors. */
MUST_USE enum pal_status config_read(struct job *job, const char *path, bool must_exist,
                                     struct pal_error *err);

void job_init(struct job *job, const struct command *command);
void job_done(struct job *job);

/* Starts the threads and the progress display that long work wants. */
MUST_USE enum pal_status job_threads(struct job *job, struct pal_error *err);

/* Shows what was said so far. PAL_EINTERRUPTED if the reader went away: no need to go on. */
MUST_USE enum pal_status job_flush(struct job *job, struct pal_error *err);

/* Whether the user gave the option, by whatever way. */
bool job_given(const struct job *job, const char *option);

/* Non-zero once SIGINT or SIGTERM came; for struct run's stop. */
const atomic_int *interrupt_flag(void);
void interrupt_catch(void);

/* The signal that came has had its effect: a server that was told to stop did. */
void interrupt_forget(void);

/* Lets the signal that came have its usual effect; returns if there was none. */
void interrupt_raise(void);

enum pal_status demo_run(struct job *job, struct pal_error *err);
enum pal_status import_run(struct job *job, struct pal_error *err);
enum pal_status export_run(struct job *job, struct pal_error *err);
enum pal_status backup_run(struct job *job, struct pal_error *err);
enum pal_status restore_run(struct job *job, struct pal_error *err);
enum pal_status stats_run(struct job *job, struct pal_error *err);
enum pal_status train_run(struct job *job, struct pal_error *err);
enum pal_status eval_run(struct job *job, struct pal_error *err);
enum pal_status ope_run(struct job *job, struct pal_error *err);
enum pal_status tune_run(struct job *job, struct pal_error *err);
enum pal_status report_run(struct job *job, struct pal_error *err);
enum pal_status recommend_run(struct job *job, struct pal_error *err);
enum pal_status similar_run(struct job *job, struct pal_error *err);
enum pal_status serve_run(struct job *job, struct pal_error *err);
enum pal_status simulate_run(struct job *job, struct pal_error *err);
enum pal_status models_run(struct job *job, struct pal_error *err);
enum pal_status version_run(struct job *job, struct pal_error *err);
enum pal_status help_run(struct job *job, struct pal_error *err);

/* help.c: what `palate help NAME` prints. */
void help_overview(struct console *c);
void help_command(struct console *c, const struct command *command);

/* man.c: the man page, from the same tables. */
void man_page(struct console *c);

#endif
