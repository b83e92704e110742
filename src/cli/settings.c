/* See settings.h. */
#include "cli/settings.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define AT(field) offsetof(struct settings, field)

/* text: name, letter, field, value name, help */
#define TEXT(name, letter, field, value, help)                                                     \
    {                                                                                              \
        {name, OPT_TEXT, AT(field), NULL, 0, 0, OPT_LINEAR, value, help}, letter, LAST, false      \
    }
#define LIST(name, letter, field, value, repeat, help)                                             \
    {                                                                                              \
        {name, OPT_TEXT, AT(field), NULL, 0, 0, OPT_LINEAR, value, help}, letter, repeat, false    \
    }
#define FLAG(name, letter, field, help)                                                            \
    {                                                                                              \
        {name, OPT_BOOL, AT(field), "false", 0, 1, OPT_LINEAR, NULL, help}, letter, LAST, false    \
    }
#define INT(name, letter, field, initial, min, max, help)                                          \
    {                                                                                              \
        {name, OPT_INT, AT(field), initial, min, max, OPT_LINEAR, NULL, help}, letter, LAST, false \
    }
#define REAL(name, field, initial, min, max, help)                                                 \
    {                                                                                              \
        {name, OPT_REAL, AT(field), initial, min, max, OPT_LINEAR, NULL, help}, 0, LAST, false     \
    }
#define PICK(name, field, initial, choices, help)                                                  \
    {                                                                                              \
        {name, OPT_CHOICE, AT(field), initial, 0, 0, OPT_LINEAR, choices, help}, 0, LAST, false    \
    }

/* clang-format off */
const struct option options[] = {
    TEXT("data", 'd', data, "PATH",
         "a folder as published, a file, or a file of palate's own; a name is also looked up in "
         "the folder $PALATE_DATA; 'synthetic' or 'synthetic:SEED' invents a world"),
    TEXT("format", 0, format, "NAME",
         "what the data are, where it can't be told (see palate help formats)"),
    TEXT("columns", 0, columns, "user=A,item=B",
         "which columns of a CSV, TSV or JSON-lines file mean what: user, item, value, time, type"),
    INT("skip-bad", 0, skip_bad, "0", 0, 1e15, "pass over up to so many malformed lines"),
    TEXT("fold", 0, fold, "NAME", "MovieLens 100K: take the published fold u1 to u5, ua or ub"),
    FLAG("synthetic", 0, synthetic, "invent a world instead (--set synth.users=500)"),
    TEXT("output", 'o', output, "FILE", "the file to write"),

    LIST("model", 'm', model, "A,B", JOINED,
         "models by name, with options of their own after a '+': als,als+factors=128 (see palate "
         "help models)"),
    LIST("set", 's', set, "MODEL.OPTION=VALUE", EACH,
         "set an option of a model (als.factors=128) or of the synthetic world (synth.users=500); "
         "may be repeated"),
    TEXT("weights", 0, weights, "RULES",
         "what an event is worth, e.g. 'rating>=4:1,rating:0' (see palate help weights); default: "
         "what suits the data's format"),
    TEXT("split", 0, split, "SPEC",
         "how data are cut into training and test parts, e.g. random:60/20/20 (see palate help "
         "splits); eval's default: random:80/20, or file where the data bring a test part along"),
    TEXT("tune", 0, tune, "SPEC",
         "cut the training part once more by SPEC and judge by what that holds out: for choosing "
         "options without looking at the test part"),
    TEXT("metrics", 0, metrics, "A@K,B@K",
         "what to measure (see palate help metrics); default: precision, recall, ndcg, map and "
         "coverage at 10"),
    TEXT("save", 0, save, "FILE", "also write the results to a file, as JSON"),
    TEXT("results", 0, results, "FILE",
         "take results that palate eval wrote (--save, or --json) instead of training"),
    PICK("part", part, "test", "test|valid", "judge by the test or by the validation part"),
    PICK("protocol", protocol, "auto", "auto|full|negatives",
         "rank the full catalog, or the held-out item among the negatives that the data bring "
         "along; auto takes negatives where there are some and the split is 'file'"),
    REAL("relevant", relevant, "0.5", -1e6, 1e6,
         "the least weight with which a held-out event counts as something to be found"),
    TEXT("target", 0, target, "TYPE",
         "judge by events of this type alone, such as purchase: to be found is what was not bought "
         "before, viewed or not; all events train, by --weights"),
    FLAG("again", 0, again,
         "judge by what users come back to, too: what they had before may be recommended, and "
         "counts when they have it again"),
    REAL("confidence", confidence, "0.95", 0.5, 0.9999, "of the intervals"),
    INT("bootstrap", 0, bootstrap, "1000", 0, 100000, "resamplings for intervals; 0 = none"),
    TEXT("space", 0, space, "A=LOW..HIGH,B=X",
         "which options are searched, and how far, e.g. factors=32..256,solver=exact|cg; a value "
         "alone fixes one; others stay as palate help MODEL has them"),
    PICK("search", search, "tpe", "tpe|random",
         "propose by what was seen (TPE), or draw at random to compare with"),
    INT("trials", 0, trials, "0", 0, 10000,
        "how many sets of options to try; 0 = 30 or, with --time, as many as there is time for"),
    REAL("time", time, "0", 0, 1e6, "minutes after which no trial goes on; 0 = no limit"),
    {{"halving", OPT_BOOL, AT(halving), "true", 0, 1, OPT_LINEAR, NULL,
      "try with few epochs first, and go on with the best third; --no-halving tries each in full"},
     0, LAST, false},
    TEXT("track", 0, track, "URL",
         "also tell an MLflow server of this run: mlflow:http://HOST:5000; 'none' = no record, "
         "not in the folder of models either"),
    REAL("gate", gate, "0", 0, 1,
         "make the new version live only if it isn't worse than the live one by more than this "
         "share of the first metric (0.05); what both are measured on is held out by --split"),
    INT("keep", 0, keep, "0", 0, 1e6,
        "delete the oldest versions, so that so many are left; the live one, the one that it "
        "replaced and the new one always are"),
    {{"policy", OPT_TEXT, AT(policy), "bts", 0, 0, OPT_LINEAR, "NAME",
      "the policy to estimate the value of: a folder in --data with its own logs"}, 0, LAST, false},
    {{"from", OPT_TEXT, AT(from), "random", 0, 0, OPT_LINEAR, "NAME",
      "the policy from whose logs it is estimated: another such folder"}, 0, LAST, false},
    REAL("clip", clip, "0", 0, 1e9,
         "cut the weights of off-policy estimates to this: less variance for some bias; 0 = none"),
    REAL("window", window, "24", 0, 1e6,
         "hours after a list was shown in which what happens counts as its reward"),
    FLAG("compare", 0, compare, "test whether models differ by more than chance"),

    {{"models", OPT_TEXT, AT(models), "models", 0, 0, OPT_LINEAR, "URL",
      "the folder of published models, or "
      "s3://BUCKET/PREFIX?endpoint=http://HOST:PORT"}, 0, LAST, false},
    TEXT("user", 'u', user, "ID", "a user of the data set"),
    TEXT("history", 0, history, "TITLES",
         "what somebody liked, separated by commas; '-' before a title marks a dislike"),
    TEXT("exclude", 0, exclude, "TITLES", "items not to recommend, separated by commas"),
    INT("count", 'n', count, "10", 1, 10000, "how many"),
    INT("activate", 0, activate, "0", 0, 4e9, "make this version the live one"),
    FLAG("explain", 'e', explain, "say why"),
    PICK("for", whose, "all", "all|active",
         "who gets a list: everybody, or who did something in the last --days"),
    INT("days", 0, days, "30", 1, 36500,
        "how far --for active looks back from the newest event"),
    PICK("as", lists_as, "auto", "auto|csv|jsonl",
         "how lists are written; auto = by the file's name"),

    {{"store", OPT_TEXT, AT(store), "sqlite:palate.db", 0, 0, OPT_LINEAR, "URL",
      "where items, users and events are kept: sqlite:FILE or "
      "postgres://USER:PASSWORD@HOST/DATABASE?schema=NAME (--catalog is the same)"}, 0, LAST,
     false},
    TEXT("events", 0, events, "URL",
         "keep events there, and only the rest in the store: "
         "clickhouse://[USER:PASSWORD@]HOST[:PORT]/DATABASE"),
    TEXT("stream", 0, stream, "URL",
         "the broker that carries what comes in to the store: amqp://… or kafka://… (default: "
         "none, the server does it itself)"),
    TEXT("state", 0, state, "URL",
         "where processes share what users did lately and what the bandit counts "
         "(redis://HOST:PORT/DB; rediss:// by TLS; redis+unix:///PATH)"),
    TEXT("role", 0, role, "A,B",
         "what this process does: recs answers, collector takes in, pipeline carries the stream "
         "into the store and trains (default: all three)"),
    TEXT("journal", 0, journal, "DIR",
         "the journal's folder (default: beside the store, palate.db-journal.d; where the store is "
         "no file, palate-journal.d here)"),
    INT("wait", 0, wait, "60", 0, 86400,
        "seconds to wait at the start for a store that is a server and does not answer; "
        "meanwhile /health/live says that the process is there, and all else 503"),
    {{"listen", OPT_TEXT, AT(listen), "127.0.0.1:8080", 0, 0, OPT_LINEAR, "ADDRESS:PORT",
      "where to listen; port 0 takes a free one"}, 0, LAST, false},
    TEXT("keys", 0, keys, "FILE",
         "who may call: a line NAME:RIGHT:SECRET each, RIGHT being read, write or admin"),
    TEXT("tls-cert", 0, tls_cert, "FILE", "serve HTTPS with this certificate (PEM)"),
    TEXT("tls-key", 0, tls_key, "FILE", "and its private key (PEM)"),
    TEXT("cors", 0, cors, "ORIGINS", "pages of these origins may call, '*' = of any"),
    FLAG("insecure", 0, insecure, "listen to other machines without keys"),
    FLAG("allow-cleanup", 0, allow_cleanup, "let /cleanup forget everything"),
    FLAG("no-training", 0, no_training, "leave training to palate train and POST /v1/train"),
    PICK("log", log, "auto", "auto|json|text",
         "lines on standard error; auto is text on a terminal, else JSON"),

    TEXT("url", 0, url, "URL", "of a running server: http://127.0.0.1:8080"),
    TEXT("collector-url", 0, collector_url, "URL",
         "who is told what people do, where that is another process than answers"),
    TEXT("key", 0, key, "SECRET", "the key to show it (better: PALATE_KEY in the environment)"),
    INT("users", 0, users, "200", 1, 1e6, "how many people"),
    INT("rounds", 0, rounds, "50", 1, 10000, "how often each comes back"),
    INT("train-every", 0, train_every, "-1", -1, 10000,
        "train after so many rounds; 0 = never; -1 = when there is a quarter more to learn "
        "from"),

    TEXT("config", 0, config, "FILE",
         "read options from this file (default: palate.ini, if it is in the current folder)"),
    TEXT("memory", 0, memory, "SIZE",
         "refuse to train what would need more, e.g. 4G (default: what the machine has to spare)"),
    INT("seed", 0, seed, "1", 0, 9007199254740992.0, "of everything drawn at random"),
    INT("threads", 't', threads, "0", 0, 512, "threads to work with; 0 = one per core"),
    PICK("kernels", kernels, "auto", "auto|plain|avx2|avx512", "which inner loops to use"),
    FLAG("json", 'j', json, "print one JSON object instead of text"),
    FLAG("quiet", 'q', quiet, "no progress on the terminal"),
    FLAG("once", 0, once, "try the server out by the calls printed, and end"),
    {{"man", OPT_BOOL, AT(man), "false", 0, 1, OPT_LINEAR, NULL, "print the man page (roff)"},
     0, LAST, true},
    {{"progress-json", OPT_BOOL, AT(progress_json), "false", 0, 1, OPT_LINEAR, NULL,
      "tell progress and outcome as JSON lines, and end with the program that started this one"},
     0, LAST, true},
};
/* clang-format on */
const size_t option_count = sizeof options / sizeof options[0];

_Static_assert(sizeof options / sizeof options[0] <= OPTIONS_MOST, "struct job has no room");

/* Other names of options. */
static const struct {
    const char *name, *option;
} aliases[] = {{"catalog", "store"}};
enum { ALIASES = sizeof aliases / sizeof aliases[0] };

const char *option_alias(const struct option *o)
{
    for (size_t i = 0; i < ALIASES; i++)
        if (strcmp(aliases[i].option, o->row.name) == 0)
            return aliases[i].name;
    return NULL;
}

int option_index(const char *name, size_t len)
{
    for (size_t i = 0; i < ALIASES; i++)
        if (strncmp(aliases[i].name, name, len) == 0 && !aliases[i].name[len])
            return option_index(aliases[i].option, strlen(aliases[i].option));
    for (size_t i = 0; i < option_count; i++)
        if (strncmp(options[i].row.name, name, len) == 0 && !options[i].row.name[len])
            return (int)i;
    return -1;
}

int option_next(const char **list)
{
    *list += strspn(*list, " ");
    size_t len = strcspn(*list, " ");
    if (!len)
        return -1;
    int i = option_index(*list, len);
    *list += len;
    return i;
}

bool option_listed(const char *list, int i)
{
    for (int j; (j = option_next(&list)) >= 0;)
        if (i == j)
            return true;
    return false;
}

void option_variable(const char *name, char *buf, size_t size)
{
    snprintf(buf, size, "PALATE_%s", name);
    for (char *p = buf; *p; p++)
        *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
}

const char *option_value_name(const struct option *o)
{
    switch (o->row.kind) {
    case OPT_BOOL:
        return "";
    case OPT_INT:
        return "N";
    case OPT_REAL:
        return "X";
    default:
        return o->row.choices ? o->row.choices : "TEXT";
    }
}
