/* palate help: a command, a model or a topic explained, out of the tables that drive them. */
#include "cli/help.h"

#include "base/mem.h"
#include "cli/plan.h"
#include "cli/serving.h"
#include "cli/table.h"
#include "data/load.h"
#include "data/synth.h"
#include "eval/evaluate.h"
#include "model/model.h"
#include "rank/rank.h"

#include <string.h>

void help_overview(struct console *c)
{
    const struct command *cmd;
    struct table t = {.indent = 2};
    say_text(c, "palate learns from what people liked and says what they may like next.\n\n"
                "Usage: palate COMMAND [options]\n");
    say_heading(c, "Commands");
    table_column(&t, NULL, LEFT, false);
    table_column(&t, NULL, LEFT, false);
    for (size_t i = 0; (cmd = command_at(i)); i++) {
        table_put(&t, PLAIN, cmd->name);
        table_put(&t, PLAIN, cmd->brief);
    }
    table_print(&t, c);
    table_done(&t);
    say_text(c, "\nStart with: palate demo\n"
                "More: palate help COMMAND, palate help models, metrics, splits, weights, "
                "formats, filter, config, server\n");
}

/* "-n, --count N" */
static void put_flags(const struct option *o, struct str *out)
{
    if (o->letter)
        str_fmt(out, "-%c, ", o->letter);
    else
        str_put(out, "    ");
    str_fmt(out, "--%s", o->row.name);
    const char *value = option_value_name(o);
    if (*value)
        str_fmt(out, " %s", value);
}

/* What it does and what it is if nobody says. */
void help_option_text(const struct opt *row, struct str *out)
{
    str_put(out, row->help);
    bool flag = row->kind == OPT_BOOL && strcmp(row->initial, "false") == 0;
    if (row->initial && !flag && strcmp(row->initial, "0") != 0)
        str_fmt(out, " (%s)", row->initial);
}

/* left, then the text in a column of its own, both wrapped to the screen. */
static void say_entry(struct console *c, const char *left, size_t column, const char *text)
{
    struct console right = {.width = c->width};
    say_paragraph(&right, (unsigned)column, text);
    const char *body = str_text(&right.pending);
    size_t used = text_columns(left) + 2;
    say(c, "  ");
    say_text(c, left);
    if (used + 2 > column) {
        say_text(c, "\n");
        say_text(c, body);
    } else {
        say(c, "%*s", (int)(column - used), "");
        say_text(c, strlen(body) > column ? body + column : "\n");
    }
    c->pending.failed |= right.pending.failed;
    str_done(&right.pending);
}

static void say_options(struct console *c, const struct command *command)
{
    const char *lists[] = {command->options, "config quiet"};
    say_heading(c, "Options");
    for (size_t l = 0; l < 2; l++)
        for (int i; (i = option_next(&lists[l])) >= 0;) {
            struct str left = {0}, text = {0};
            if (options[i].hidden)
                continue;
            put_flags(&options[i], &left);
            help_option_text(&options[i].row, &text);
            say_entry(c, str_text(&left), 26, str_text(&text));
            c->pending.failed |= left.failed || text.failed;
            str_done(&left);
            str_done(&text);
        }
    say_entry(c, "-h, --help", 26, "print this");
}

void help_command(struct console *c, const struct command *command)
{
    say(c, "palate %s: %s\n\n", command->name, command->brief);
    say(c, "Usage: palate %s %s%s[options]\n\n", command->name, command->operands,
        *command->operands ? " " : "");
    say_paragraph(c, 0, command->help);
    say_options(c, command);
    if (*command->examples)
        say_heading(c, "Examples");
    for (const char *p = command->examples; *p;) {
        size_t line = strcspn(p, "\n"), example = strcspn(p, "\t");
        say(c, "  %.*s\n", (int)example, p);
        if (line > example + 1)
            say(c, "      %.*s\n", (int)(line - example - 1), p + example + 1);
        p += line + 1;
    }
}

/* "length of an item embedding (4 to 1024)" */
static void put_option_text(const struct opt *row, struct str *out)
{
    str_fmt(out, "%s (", row->help);
    if (row->kind == OPT_INT || row->kind == OPT_REAL)
        str_fmt(out, "%.10g to %.10g", row->min, row->max);
    else
        opt_range(row, out);
    str_char(out, ')');
}

/* What stands in the column of defaults: "" for none, and for one that is too long for it. */
static const char *short_initial(const struct opt *row)
{
    enum { WIDEST = 12 };
    return row->initial && strlen(row->initial) <= WIDEST ? row->initial : "";
}

void help_model_options(struct console *c, const struct opt_table *table)
{
    size_t names = 0, initials = 0;
    for (size_t i = 0; i < table->count; i++) {
        size_t n = strlen(table->rows[i].name), m = strlen(short_initial(&table->rows[i]));
        names = n > names ? n : names;
        initials = m > initials ? m : initials;
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct opt *row = &table->rows[i];
        const char *initial = short_initial(row);
        struct str left = {0}, text = {0};
        str_fmt(&left, "%-*s  %*s", (int)names, row->name, (int)initials, initial);
        put_option_text(row, &text);
        if (row->initial && *row->initial && !*initial)
            str_fmt(&text, " (default: %s)", row->initial);
        say_entry(c, str_text(&left), names + initials + 6, str_text(&text));
        c->pending.failed |= left.failed || text.failed;
        str_done(&left);
        str_done(&text);
    }
}

static void say_model(struct console *c, const struct model_ops *ops)
{
    static const struct {
        unsigned bit;
        const char *text;
    } abilities[] = {{MODEL_PERSONAL, "personal"},
                     {MODEL_SIMILAR, "similar items"},
                     {MODEL_EXPLAIN, "reasons"},
                     {MODEL_RATES, "stars"}};
    say_text(c, "\n");
    say_styled(c, BOLD, ops->name);
    say(c, "  %s\n", ops->title);
    if (ops->paper && *ops->paper)
        say_paragraph(c, 2, ops->paper);
    struct str can = {0};
    for (size_t i = 0; i < sizeof abilities / sizeof abilities[0]; i++)
        if (ops->can & abilities[i].bit)
            str_fmt(&can, "%s%s", can.len ? ", " : "Gives: ", abilities[i].text);
    if (can.len)
        say(c, "  %s\n", str_text(&can));
    str_done(&can);
    if (ops->options.count)
        help_model_options(c, &ops->options);
    if (ops->tuned) {
        struct str text = {0};
        str_fmt(&text, "palate tune searches %s", ops->tuned);
        say_paragraph(c, 2, str_text(&text));
        str_done(&text);
    }
}

static void topic_models(struct console *c)
{
    const struct model_ops *ops;
    say_paragraph(c, 0,
                  "Models are named in --model, separated by commas; an option of one is set by "
                  "--set als.factors=128, or for one of several variants behind a '+': --model "
                  "als,als+factors=128+epochs=8. Below stands after each option its default.");
    for (size_t i = 0; (ops = model_at(i)); i++)
        say_model(c, ops);
    say_text(c, "\n");
    say_paragraph(c, 0,
                  "A ranker orders what the models named before it put forward: --model "
                  "als,popular,trees. 'trees' learns from the newest part of the data, for which "
                  "these models are trained once more on the rest; 'stars' learns nothing.");
    for (size_t i = 0; (ops = ranker_at(i)); i++)
        say_model(c, ops);
}

static void topic_metrics(struct console *c)
{
    const char *name;
    say_paragraph(c, 0,
                  "Named in --metrics, with the length of the list behind an '@': "
                  "precision@10,ndcg@20; recall@5,10,20 is short for three. All are means over "
                  "users unless they are of the whole catalog.");
    say_text(c, "\n");
    for (size_t i = 0; (name = metric_name(i)); i++)
        say_entry(c, name, 18, metric_help(i));
}

static void topic_formats(struct console *c)
{
    const char *name;
    say_paragraph(c, 0,
                  "What --data and palate import can read; which one it is, is found out "
                  "unless --format names it.");
    say_text(c, "\n");
    for (size_t i = 0; (name = load_format_name(i)); i++)
        say_entry(c, name, 18, load_format_help(i));
    say_entry(c, "synthetic", 18, "an invented world: --data synthetic or synthetic:SEED, with:");
    say_text(c, "\n");
    help_model_options(c, &synth_table);
}

static void topic_server(struct console *c)
{
    const char *name, *brief;
    const struct opt_table *table;
    say_paragraph(c, 0,
                  "The parts of palate serve and their options: --set engine.explore=0.1, or in "
                  "the config file [engine] and explore = 0.1. Models' options (als.factors=128) "
                  "are those of its training.");
    for (size_t i = 0; (table = serving_part(i, &name, &brief)); i++) {
        say_heading(c, name);
        say_paragraph(c, 2, brief);
        say_text(c, "\n");
        help_model_options(c, table);
    }
}

static const struct {
    const char *name, *text;
} pages[] = {
    {"splits",
     "How --split cuts the data. Shares are training/validation/test; two shares mean no "
     "validation part. They are relative: 3/1/1 is 60/20/20. The same --seed gives the same "
     "split.\n\n"
     "  random:60/20/20   each interaction by itself\n"
     "  user:60/20/20     the same shares within each user, at random\n"
     "  latest:60/20/20   the same shares within each user: the newest are the test\n"
     "  leave-one-out     each user's last interaction is test, the one before validation\n"
     "  time:80/10/10     by one point in time for all users\n"
     "  users:80/10/10    by user: held-out users train nothing; 80 % of each one's history is\n"
     "                    given, the rest is to be found\n"
     "  file              the parts that the publisher made\n"},
    {"weights",
     "What an event is worth, from its type and value: rules separated by commas.\n\n"
     "  like:1,dislike:-1,view:0.1,rating>=4:1,rating>=3:0.2,rating:-0.2,*:1\n\n"
     "For each event the rule with its type and the highest bound that its value reaches applies; "
     "'*' stands for every type that no other rule names. A positive weight trains as a "
     "preference, a negative one as a dislike; 0 is left out of training but still marks the item "
     "as seen. Without --weights the rules that suit the data's format are taken; palate stats "
     "prints them.\n"
     "In evaluation what was held out counts as relevant when its weight reaches --relevant "
     "(0.5). In a shop, where a view weighs 0.1, add_to_cart 0.5 and purchase 1, --target purchase "
     "judges by purchases alone.\n"},
    {"filter",
     "Which items qualify, as palate serve takes it in filter=…\n\n"
     "  categories has \"Comedy\" and year >= 1990\n"
     "  not (price > 20 or brand in [\"acme\", \"other\"]) and title contains \"star\"\n"
     "  created_at > \"2024-01-01\" and exists(director) and maker.name != \"Acme\"\n\n"
     "and, or, not and parentheses; = != < <= > >=; 'in' a list; 'has': a list holds the value; "
     "'contains': a part of a text, in whatever case; not in, not has, not contains; "
     "exists(name).\n"
     "Names are item_id, title, categories, available, created_at (milliseconds since 1970, or a "
     "date in quotes), else attributes; a.b lies inside a. A name with other characters than "
     "letters, digits, '_', '-' and '.' goes in quotes, and a quoted name is always an attribute. "
     "Values are \"text\" or 'text', numbers, true and false.\n"
     "A comparison with what an item lacks, or has of another type, is false: brand != \"acme\" "
     "wants another brand, not brand = \"acme\" takes items without one as well.\n"
     "At most 4,096 bytes, 256 conditions, 1,024 values, 64 levels.\n"},
    {"config",
     "Every option may come from a flag, from the environment, or from a config file, in that "
     "order of precedence. In the environment --skip-bad is PALATE_SKIP_BAD. The file is "
     "palate.ini in the current folder or the one that --config names:\n\n"
     "  data = ml-1m              an option of any command that takes it\n"
     "  [eval]                    only for palate eval\n"
     "  split = random:60/20/20\n"
     "  [als]                     options of a model: --set als.factors=128\n"
     "  factors = 128\n"
     "  [synth]                   and of the synthetic world\n"
     "  users = 500\n"
     "  [engine]                  and of the parts of palate serve\n"
     "  explore = 0.1\n"},
};

static bool say_topic(struct console *c, const char *name)
{
    static const struct {
        const char *name;
        void (*say)(struct console *c);
    } made[] = {{"metrics", topic_metrics}, {"formats", topic_formats}, {"server", topic_server}};
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        if (strcmp(made[i].name, name) == 0) {
            made[i].say(c);
            return true;
        }
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
        if (strcmp(pages[i].name, name) == 0) {
            say_paragraph(c, 0, pages[i].text);
            return true;
        }
    return false;
}

static enum pal_status nothing_named(const char *name, struct pal_error *err)
{
    const char *near = NULL;
    const struct command *cmd;
    const struct model_ops *ops;
    size_t best = 4;
    for (size_t i = 0; (cmd = command_at(i)); i++)
        if (opt_distance(name, cmd->name) < best) {
            best = opt_distance(name, cmd->name);
            near = cmd->name;
        }
    for (size_t i = 0; (ops = model_at(i)); i++)
        if (opt_distance(name, ops->name) < best) {
            best = opt_distance(name, ops->name);
            near = ops->name;
        }
    for (size_t i = 0; (ops = ranker_at(i)); i++)
        if (opt_distance(name, ops->name) < best) {
            best = opt_distance(name, ops->name);
            near = ops->name;
        }
    if (near)
        return pal_fail(err, PAL_EUSAGE,
                        "there is no help about '%s': did you mean palate help %s?", name, near);
    return pal_fail(err, PAL_EUSAGE, "there is no help about '%s': palate help lists what there is",
                    name);
}

enum pal_status help_run(struct job *job, struct pal_error *err)
{
    struct console *c = &job->out;
    const char *name = job->operand_count ? job->operands[0] : NULL;
    if (job->set.man) {
        man_page(c);
        return PAL_OK;
    }
    if (!name) {
        help_overview(c);
        return PAL_OK;
    }
    const struct command *command = command_find(name);
    const struct model_ops *ops = plan_find(name);
    if (command)
        help_command(c, command);
    if (command && strcmp(name, "models") == 0) {
        say_heading(c, "The models that can be trained");
        topic_models(c);
    }
    if (!command && ops)
        say_model(c, ops);
    if (command || ops || say_topic(c, name))
        return PAL_OK;
    return nothing_named(name, err);
}
