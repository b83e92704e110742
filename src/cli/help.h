/* What help and the man page share. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/console.h"

struct opt;
struct opt_table;

/* What an option does and its default: "how many (10)". */
void help_option_text(const struct opt *row, struct str *out);

/* A list of options: name, default, what it is, range. */
void help_model_options(struct console *c, const struct opt_table *options);

#endif
