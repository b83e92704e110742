/* The man page palate.1, written by `palate help --man` when palate is built: the same tables as
 * palate help, in the man macros of roff. */
#include "cli/command.h"
#include "cli/help.h"

#include <string.h>

/* A character beyond ASCII as roff names it, \[u2026]; returns how many bytes it has. */
static size_t put_character(struct str *out, const char *s, size_t len)
{
    unsigned char b = (unsigned char)s[0];
    size_t n = b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : 2;
    uint32_t value = b & (0x7Fu >> n);
    for (size_t i = 1; i < n && i < len; i++)
        value = value << 6 | ((unsigned char)s[i] & 0x3F);
    str_fmt(out, "\\[u%04X]", value);
    return n < len ? n : len;
}

/* Text with what roff would take for its own made harmless. */
static void say_roff(struct console *c, const char *s, size_t len)
{
    struct str out = {0};
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\\')
            str_put(&out, "\\e");
        else if (s[i] == '-')
            str_put(&out, "\\-");
        else if ((s[i] == '.' || s[i] == '\'') && (i == 0 || s[i - 1] == '\n'))
            str_fmt(&out, "\\&%c", s[i]);
        else if (s[i] == '\'')
            str_put(&out, "\\(aq");
        else if ((unsigned char)s[i] < 0x80)
            str_char(&out, s[i]);
        else
            i += put_character(&out, s + i, len - i) - 1;
    }
    c->pending.failed |= out.failed;
    say_text(c, str_text(&out));
    str_done(&out);
}

static void roff(struct console *c, const char *s)
{
    say_roff(c, s, strlen(s));
}

static void say_paragraphs(struct console *c, const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        say_roff(c, text, len);
        text += len + (text[len] == '\n');
        say_text(c, *text ? "\n.PP\n" : "\n");
    }
}

static void say_option(struct console *c, const struct option *o)
{
    const char *value = option_value_name(o);
    struct str text = {0};
    say_text(c, ".TP\n");
    if (o->letter)
        say(c, "\\fB\\-%c\\fR, ", o->letter);
    say_text(c, "\\fB\\-\\-");
    roff(c, o->row.name);
    say_text(c, *value ? "\\fR \\fI" : "");
    roff(c, value);
    say_text(c, "\\fR\n");
    help_option_text(&o->row, &text);
    roff(c, str_text(&text));
    say_text(c, "\n");
    c->pending.failed |= text.failed;
    str_done(&text);
}

static void say_examples(struct console *c, const char *p)
{
    while (*p) {
        size_t line = strcspn(p, "\n"), example = strcspn(p, "\t");
        say_text(c, ".PP\n.RS\n.nf\n");
        say_roff(c, p, example);
        say_text(c, "\n.fi\n.RE\n");
        p += line + 1;
    }
}

static void say_command(struct console *c, const struct command *command)
{
    const char *list = command->options;
    say_text(c, ".SS palate ");
    roff(c, command->name);
    say(c, "%s", *command->operands ? " " : "");
    roff(c, command->operands);
    say_text(c, "\n");
    roff(c, command->brief);
    say_text(c, ".\n.PP\n");
    say_paragraphs(c, command->help);
    struct str names = {0};
    for (int i; (i = option_next(&list)) >= 0;)
        if (!options[i].hidden)
            str_fmt(&names, "%s--%s", names.len ? ", " : "", options[i].row.name);
    if (names.len) {
        say_text(c, ".PP\nOptions: ");
        roff(c, str_text(&names));
        say_text(c, ".\n");
    }
    c->pending.failed |= names.failed;
    str_done(&names);
    say_examples(c, command->examples);
}

static const char after[] =
    ".SH ENVIRONMENT\n"
    "Every option may be given as a variable: \\fBPALATE_SKIP_BAD\\fR for \\-\\-skip\\-bad.\n"
    "A flag goes before the environment, and the environment before the config file.\n"
    ".TP\n\\fBPALATE_DATA\\fR\nThe data set to use, or a folder of data sets in which the names "
    "given to \\-\\-data are looked up.\n"
    ".TP\n\\fBNO_COLOR\\fR\nIf set, no colours are printed.\n"
    ".SH FILES\n"
    ".TP\n\\fIpalate.ini\\fR\nOptions for all commands; in a section \\fB[eval]\\fR for one "
    "command, in a section \\fB[als]\\fR for a model. Read from the current folder or from where "
    "\\-\\-config says.\n"
    ".TP\n\\fImodels/\\fR\nPublished versions: a folder each, and \\fICURRENT\\fR, which names "
    "the live one.\n"
    ".SH EXIT STATUS\n"
    "0 when it is done, 1 when it failed, 2 when it was called wrongly. Interrupted, it removes "
    "what is half written and ends by the signal.\n";

void man_page(struct console *c)
{
    const struct command *command;
    say(c, ".TH PALATE 1 \"\" \"palate %s\" \"User Commands\"\n", PALATE_VERSION);
    say_text(c, ".SH NAME\npalate \\- learn from what people liked, and say what they may like "
                "next\n.SH SYNOPSIS\n\\fBpalate\\fR \\fICOMMAND\\fR [\\fIoptions\\fR]\n"
                ".SH DESCRIPTION\n"
                "palate reads what people liked, bought and skipped, trains recommender models on "
                "it, compares them, and answers what next, with reasons.\n"
                "Start with \\fBpalate demo\\fR.\n"
                ".SH COMMANDS\n");
    for (size_t i = 0; (command = command_at(i)); i++)
        say_command(c, command);
    say_text(c, ".SH OPTIONS\n");
    for (size_t i = 0; i < option_count; i++)
        if (!options[i].hidden)
            say_option(c, &options[i]);
    say_text(c, after);
}
