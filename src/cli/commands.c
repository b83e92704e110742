/* The table of commands: to add one is to write one file and one row. See command.h. */
#include "cli/command.h"

#include <string.h>

/* Options that commands share, by what they are about. */
#define DATA  "data format columns skip-bad fold"
#define WORLD "set seed"
#define WORK  "seed threads kernels"

#define USUAL                                                                                      \
    "Without --model these are als, ease (up to 12,000 items), popular, and content where items "  \
    "have titles or categories."

static const struct command commands[] = {
    {
        .name = "demo",
        .brief = "show everything on MovieLens, or on an invented world",
        .operands = "",
        .help =
            "Takes MovieLens if it is at hand (in $PALATE_DATA or ../shared/data), else invents a "
            "world; shows what the data look like, trains, compares the models with popular and "
            "random, and recommends to three users, with reasons; puts all of it into a store and "
            "runs a server on top until Ctrl-C. Each step is printed with the command that does it "
            "by hand. What it makes lies in the folder palate-demo.\n"
            "With --once it makes the calls that it prints, checks their answers, and ends. Takes "
            "less than two minutes on two cores until the server runs.",
        .options = DATA " " WORK " listen once track",
        .examples = "palate demo\tshow what palate does\n"
                    "palate demo --data synthetic\tthe same on an invented world\n",
        .run = demo_run,
    },
    {
        .name = "import",
        .brief = "read a data set and write it as a file of palate's own, or into a store",
        .operands = "PATH",
        .operands_most = 1,
        .help =
            "Reads a folder as it was published, or a single file, and writes one file that loads "
            "at the speed of memory and is taken wherever --data is. With --synthetic it writes an "
            "invented world instead. Run palate help formats for what can be read.\n"
            "With --store it goes into a server's store instead: items, users and events (a "
            "published test part, too), the events in the order of time. What palate export wrote "
            "is read back as it was. The server must not run meanwhile. Interrupted, the same "
            "command goes on where it stopped; what is in the store already is not imported "
            "again.",
        .options = "output store events format columns skip-bad fold synthetic " WORLD
                   " threads kernels json",
        .examples =
            "palate import ml-1m -o ml-1m.palate\ta folder as published\n"
            "palate import log.csv --columns user=who,item=what,time=at -o log.palate\tany CSV\n"
            "palate import --synthetic --set synth.users=500 --seed 7 -o world.palate\tinvented\n"
            "palate import ml-1m --store sqlite:palate.db\tinto a store\n",
        .run = import_run,
    },
    {
        .name = "export",
        .brief = "write everything in a store as JSON lines, or a list for every user",
        .operands = "[recommendations]",
        .operands_most = 1,
        .help =
            "One object a line: {\"item\":{...}}, {\"user\":{...}}, {\"event\":{...}} and "
            "{\"served\":{...}}, with the fields that the HTTP API has; to a file, or to standard "
            "output without -o or with -o -. The server may run meanwhile: what is written is all "
            "as of one moment, with what its journal still holds. palate import --store reads it "
            "back.\n"
            "palate export recommendations writes the --count best items for every user by the "
            "live "
            "version, for those who serve from a database of their own: as CSV, as JSON lines (by "
            "the ending of -o's name, or --as), or with -o "
            "postgres://USER@HOST/DB?table=NAME right into a table, in whose place the new lists "
            "come in one step when all are there. Histories are those that the version was trained "
            "on, or of --store or --data; what the store says is not available is in no list. "
            "Interrupted, the same command goes on behind the last user that was written.",
        .options = "store events stream journal output " DATA
                   " model models count for days as threads kernels json",
        .examples = "palate export -o everything.jsonl\tfrom sqlite:palate.db\n"
                    "palate export --store sqlite:shop.db\tto standard output\n"
                    "palate export recommendations -n 20 -o lists.csv\ta list for everybody\n"
                    "palate export recommendations --for active --as jsonl\tto standard output\n",
        .run = export_run,
    },
    {
        .name = "backup",
        .brief = "copy a store that may be in use to a file",
        .operands = "",
        .help = "The copy is whole and as of one moment, and replaces the file only when it is "
                "done. What the journal still holds is not in it: the journal has it, and a server "
                "that is started on the restored store takes it from there.",
        .options = "store events output",
        .examples = "palate backup -o palate-backup.db\t\n",
        .run = backup_run,
    },
    {
        .name = "restore",
        .brief = "put a backup in the place of a store",
        .operands = "FILE",
        .operands_most = 1,
        .help = "Checks every page of the backup first. What was in its place is kept beside it, "
                "with '.before-restore' behind its name. The server must not run meanwhile.",
        .options = "store events",
        .examples = "palate restore palate-backup.db\t\n",
        .run = restore_run,
    },
    {
        .name = "stats",
        .brief = "say what a data set looks like",
        .operands = "",
        .help = "Counts, density, ratings, activity of users and popularity of items, the long "
                "tail, categories and which of them go together, and the time span.",
        .options = DATA " " WORLD " threads kernels json",
        .examples = "palate stats --data ml-1m\tas text\n"
                    "palate stats --data ml-1m --json\tfor machines\n",
        .run = stats_run,
    },
    {
        .name = "train",
        .brief = "train models and publish them as a new version",
        .operands = "",
        .help =
            "Trains on all of the data, writes the models and the catalog to a new version in the "
            "folder of models, and makes it the live one, from which palate recommend and palate "
            "similar answer. With --split it holds data out first, measures on them, and then "
            "trains once more on everything. Interrupted, it leaves nothing behind.\n"
            "With --store it learns from what palate serve has collected, its journal included, "
            "and may run beside it.\n"
            "With --gate the new version goes live only if it isn't worse than the live one. The "
            "live version's own files were trained on what is now held out, so its models are "
            "trained anew, with the options and weights that it recorded, on the same part as the "
            "new ones; unless all that is held out is later than anything it has seen (--split "
            "time:90/10): then they are judged as they are. A version counts by its best model. "
            "Where too little can be held out to judge by, the new version goes live.\n" USUAL,
        .options = DATA " store events stream journal model set weights split metrics relevant "
                        "target gate keep models "
                        "track memory " WORK " json progress-json",
        .examples = "palate train --data ml-1m\tthe usual models\n"
                    "palate train --store sqlite:palate.db --gate 0.05 --keep 5\tfrom a server's "
                    "store, if it is no worse\n"
                    "palate train --data ml-1m --model als,ease --set als.factors=128\tyours\n"
                    "palate train --data ml-1m --model als,ease,popular,trees\tand a ranker over "
                    "them\n"
                    "palate train --data ml-1m --split random:80/20\tand say how good they are\n",
        .run = train_run,
    },
    {
        .name = "eval",
        .brief = "compare models on data that was held out",
        .operands = "",
        .help =
            "Cuts the data in two or three, trains each model on the first part and measures how "
            "well it finds the rest: all items are ranked for each user, but for those that the "
            "user had in training. Intervals are from a bootstrap over users; with --compare a "
            "paired test says whether a difference from the best model is more than chance.\n"
            "Memory is the largest that the process held while that model was trained and "
            "evaluated, the data included.\n" USUAL,
        .options = DATA
        " model set split tune metrics part protocol weights relevant target again bootstrap "
        "confidence compare save models track memory " WORK " json",
        .examples =
            "palate eval --data ml-1m --model als,ease,popular\tthe usual metrics\n"
            "palate eval --data ml-1m --split random:60/20/20 --part valid --model als,als+epochs=8"
            "\ttwo settings of one model\n"
            "palate eval --data shop.csv --target purchase\thow well purchases are found\n"
            "palate eval --data gowalla-lightgcn --split file --model ease --metrics recall@20\t"
            "the published test part\n",
        .run = eval_run,
    },
    {
        .name = "ope",
        .brief = "estimate what a policy would earn from what another one showed",
        .operands = "",
        .help =
            "From the lists that a server showed (--store): what slots earned by who filled them, "
            "and what they would earn without exploration, if the bandit filled all of them, or if "
            "chance did. Each of these shows what it would do in some slots, by a chance that was "
            "kept; dividing by it makes up for how often it could. What a slot earned is the "
            "weight (--weights) of what came of it within --window hours, by the events' "
            "recommendation_id or, without one, by the latest list that showed the item to the "
            "user; "
            "of several events the largest weight.\n"
            "From the logs of two policies (--data): inverse propensity scoring, self-normalized, "
            "and doubly robust, with bootstrap intervals, beside what the policy's own log says. "
            "DATA/POLICY/CAMPAIGN holds a CSV file with the columns item_id, position, click and "
            "propensity_score, as the Open Bandit Data do. What the policy does is how often its "
            "own log shows an item at a position.",
        .options = "data policy from store events stream journal weights window clip bootstrap "
                   "confidence " WORK " json",
        .examples = "palate ope\twhat a server's explored slots say\n"
                    "palate ope --store sqlite:shop.db --weights 'purchase:1,*:0'\tby purchases\n"
                    "palate ope --data obd --policy bts --from random\ttwo policies' logs\n",
        .run = ope_run,
    },
    {
        .name = "tune",
        .brief = "search a model's options on validation data",
        .operands = "",
        .help =
            "Tries sets of options, judges each by the first of --metrics on the validation part, "
            "and writes the best to a config file that palate train takes. The test part is never "
            "looked at: where --split has no validation part, a piece of the training part "
            "(--tune) "
            "judges. Trial 1 is the model as it would be trained without a search.\n"
            "What is searched, palate help MODEL says; --space narrows, widens or fixes it, and an "
            "option given by --set stays. By default options are proposed by TPE from what was "
            "seen. A model that learns in epochs is tried with a ninth of them first, the best "
            "third of nine with a third, the best one with all.\n"
            "Each trial is written to a file (--save) when it ends. Interrupted, the same command "
            "goes on; with more --trials or --time it goes further. The same seed gives the same "
            "trials with any number of threads; they run side by side, one on a thread.",
        .options = DATA
        " store events stream journal model set space search trials time halving split tune "
        "metrics weights relevant target again save output models track memory " WORK " json",
        .examples = "palate tune --data ml-1m --model als --trials 60\t\n"
                    "palate train --config tune-als.ini\ttrain with what was found\n"
                    "palate tune --data ml-1m --model als --space factors=64,alpha0=0.01..1 --time "
                    "10\tten minutes, two options\n",
        .run = tune_run,
    },
    {
        .name = "report",
        .brief = "draw the data and the comparison of models as one HTML file",
        .operands = "",
        .help =
            "Writes a page of figures, each with its numbers as a table: what the data look like, "
            "how models compare, for whom they are good, and what they cost. The file needs "
            "nothing from outside: send it, print it.\n"
            "Models are trained and judged as palate eval does with the same options, differences "
            "from the best one tested; --results takes what palate eval wrote instead, of the same "
            "data, and --model none leaves models out.\n" USUAL,
        .options = DATA " model results output set split tune metrics part protocol weights "
                        "relevant target again bootstrap confidence models track memory " WORK,
        .examples = "palate report --data ml-1m\tthe usual models, to report.html\n"
                    "palate eval --data ml-1m --model als,ease --compare --save results.json\t\n"
                    "palate report --data ml-1m --results results.json -o ml-1m.html\twithout "
                    "training again\n"
                    "palate report --data ml-1m --model none\tonly the data\n",
        .run = report_run,
    },
    {
        .name = "recommend",
        .brief = "say what somebody may like next",
        .operands = "",
        .help =
            "Answers from the live version. The history is that of a user of the data set "
            "(--user; the data set that the models were trained on, unless --data names another) "
            "or what --history lists: titles or item ids, separated by commas. A part of a title "
            "will do if only one has it.",
        .options = "user history count explain exclude model models " DATA " seed json",
        .examples = "palate recommend --user 42 -n 10 --explain\twith reasons\n"
                    "palate recommend --history 'Toy Story (1995),Heat (1995)'\tfor somebody new\n",
        .run = recommend_run,
    },
    {
        .name = "similar",
        .brief = "list the items nearest to one",
        .operands = "TITLE",
        .operands_most = 1,
        .help = "Answers from the live version, by the first of its models that can tell or the "
                "one named. The item is given by its title, a part of it, or its id.",
        .options = "count model models json",
        .examples = "palate similar 'Toy Story (1995)'\t\n",
        .run = similar_run,
    },
    {
        .name = "serve",
        .brief = "take in events, learn, and answer over HTTP",
        .operands = "",
        .help =
            "Runs until it is told to stop (Ctrl-C or SIGTERM), with a page for people at / and a "
            "description of its calls at /openapi.json. What it is told is kept in a journal and "
            "an SQLite file before it is acknowledged, and counts for the next answer. It trains "
            "by itself, in a process of its own, and publishes to the folder of models.\n"
            "Without keys it listens to this machine only. --set changes the parts' options "
            "(palate help server), as do sections of the config file.",
        .options = "listen store events stream state role wait journal models keys tls-cert "
                   "tls-key insecure "
                   "cors allow-cleanup no-training model weights set log json",
        .examples =
            "palate serve\teverything by default, on http://127.0.0.1:8080\n"
            "palate serve --listen 0.0.0.0:80 --keys keys.txt\tfor other machines\n"
            "palate serve --set engine.explore=0.1 --set loop.every_hours=6\tother options\n",
        .run = serve_run,
    },
    {
        .name = "simulate",
        .brief = "let people with hidden tastes use a recommender, and count their likes",
        .operands = "",
        .help =
            "Every round each person asks for a list and likes or dislikes what is on it, which "
            "counts for the next. Prints the share of what was shown that was liked, by round: for "
            "the engine as it is set up, for the bandit and the personal models alone, and for "
            "three plain rules: random, popular, and an oracle who knows the tastes. The people "
            "are an invented world's (3000 items of which each likes a fifth; --set "
            "synth.items=4000 and synth.liked=0.1 make another one) or, with --data, some of a "
            "data set's who liked most; what they did not rate nobody knows, and counts as not "
            "liked.\n"
            "With --url it does so to a running server by its classic calls, whose page then shows "
            "the report; the server keeps what it was told, so take one that may be thrown away. "
            "Without, in this process and a temporary folder, with a day for each round; the same "
            "seed gives the same figures.",
        .options =
            DATA " set url collector-url key users rounds count train-every weights " WORK " json",
        .examples = "palate simulate\tin this process\n"
                    "palate simulate --data ml-1m --users 500\twith the tastes of MovieLens\n"
                    "palate simulate --url http://127.0.0.1:8080 --rounds 20\ta running server\n",
        .run = simulate_run,
    },
    {
        .name = "models",
        .brief = "list published versions, look at one, or switch to another",
        .operands = "[show N | runs]",
        .operands_most = 2,
        .help =
            "Without arguments lists the versions in the folder of models; the live one is "
            "marked. 'show N' prints what is known of version N: data, options, metrics. "
            "--activate N makes version N the live one. 'runs' lists what was trained, tuned and "
            "evaluated last (-n 10), with --json also each model and trial by itself.",
        .options = "models activate count json",
        .examples = "palate models\twhat there is\n"
                    "palate models show 3\tversion 3\n"
                    "palate models runs\twhat was done last\n"
                    "palate models --activate 2\tgo back to version 2\n",
        .run = models_run,
    },
    {
        .name = "version",
        .brief = "print the version and how it was built",
        .operands = "",
        .help = "Prints the version, compiler, the inner loops that this processor can run, the "
                "linear algebra library, and the number of cores.",
        .options = "kernels json",
        .examples = "",
        .run = version_run,
    },
    {
        .name = "help",
        .brief = "explain a command, a model, or a topic",
        .operands = "[NAME]",
        .operands_most = 1,
        .help = "NAME is a command, a model (als, ease and so on), or one of the topics models, "
                "metrics, "
                "splits, weights, formats, filter, config, server.",
        .options = "man",
        .examples = "palate help eval\ta command\n"
                    "palate help als\ta model and its options\n"
                    "palate help metrics\ta topic\n",
        .run = help_run,
    },
};

const struct command *command_at(size_t i)
{
    return i < sizeof commands / sizeof commands[0] ? &commands[i] : NULL;
}

const struct command *command_find(const char *name)
{
    const struct command *c;
    for (size_t i = 0; (c = command_at(i)); i++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

enum pal_status command_named(const char *name, const struct command **out, struct pal_error *err)
{
    *out = command_find(name);
    if (*out)
        return PAL_OK;
    const struct command *c, *near = NULL;
    size_t best = 4;
    for (size_t i = 0; (c = command_at(i)); i++) {
        size_t d = opt_distance(name, c->name);
        if (d < best && d < strlen(c->name)) {
            best = d;
            near = c;
        }
    }
    if (near)
        return pal_fail(err, PAL_EUSAGE, "there is no command '%s': did you mean '%s'?", name,
                        near->name);
    return pal_fail(err, PAL_EUSAGE, "there is no command '%s': see palate help", name);
}
