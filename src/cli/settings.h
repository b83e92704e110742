/* Every option of the binary, once: an option means the same wherever it is taken.
 *
 * A command lists the names that it takes; the table gives each its letter, kind, range, default
 * and help. The same row is read from flags, PALATE_… in the environment and the config file. */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "base/options.h"

#include <stdbool.h>

struct settings {
    /* what it works on */
    const char *data, *format, *columns, *fold;
    int64_t skip_bad;
    bool synthetic;
    const char *output;

    /* models and how they are judged */
    const char *model, *set, *weights, *split, *tune, *metrics, *save, *results;
    int part, protocol;
    double relevant, confidence;
    int64_t bootstrap;
    bool compare;
    double gate;
    const char *space;
    int search;
    int64_t trials;
    double time;
    bool halving;
    const char *track;
    int64_t keep;

    /* off-policy evaluation */
    const char *policy, *from, *target;
    double clip, window;

    /* answers */
    const char *models, *user, *history, *exclude;
    int64_t count, activate;
    bool explain, again;

    /* lists for everybody */
    int whose, lists_as;
    int64_t days;

    /* the server */
    const char *store, *events, *stream, *state, *role, *journal, *listen, *keys, *tls_cert,
        *tls_key, *cors;
    bool insecure, allow_cleanup, no_training;
    int64_t wait;
    int log;

    /* simulated people */
    const char *url, *collector_url, *key;
    int64_t users, rounds, train_every;

    /* how it runs and prints */
    const char *config, *memory;
    int64_t seed, threads;
    int kernels;
    bool json, quiet, once, man, progress_json;
};

enum part_choice { PART_TEST, PART_VALID };
enum protocol_choice { PROTOCOL_AUTO, PROTOCOL_FULL, PROTOCOL_NEGATIVES };

enum whose_choice { WHOSE_ALL, WHOSE_ACTIVE };
enum lists_choice { LISTS_AUTO, LISTS_CSV, LISTS_JSONL };

enum search_choice { SEARCH_TPE, SEARCH_RANDOM };

enum log_choice { LOG_AUTO, LOG_JSON, LOG_TEXT };

/* Given twice, the last value counts, or all do: joined by commas, or kept one by one. */
enum repeat { LAST, JOINED, EACH };

struct option {
    struct opt row; /* describes a field of struct settings */
    char letter;    /* 'n' for -n; 0 = none */
    enum repeat repeat;
    bool hidden; /* not in help */
};

enum { OPTIONS_MOST = 80 };
extern const struct option options[];
extern const size_t option_count;

/* The place in options of a name or an alias, or -1. */
int option_index(const char *name, size_t len);

/* Calls on each name of a blank-separated list: returns the next one's index and moves *list past
 * it; -1 at the end. */
int option_next(const char **list);

/* Whether the list names option i. */
bool option_listed(const char *list, int i);

/* Another name by which it may be given, or NULL. */
const char *option_alias(const struct option *o);

/* "PALATE_SKIP_BAD" for "skip-bad". */
void option_variable(const char *name, char *buf, size_t size);

/* "N", "X", "PATH", "full|negatives"; "" for a flag. */
const char *option_value_name(const struct option *o);

#endif
