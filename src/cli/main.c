/* palate: the binary. Finds the command, reads its words, runs it, and says how it ended. */
#include "cli/command.h"
#include "cli/outside.h"

#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* A program that is started with a standard stream closed would get its number for the next file
 * that it opens, and write its output there. Reading from and writing to these fails instead. */
static void hold_streams(void)
{
    static const int mode[] = {O_WRONLY, O_RDONLY, O_RDWR};
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", mode[fd]) != fd)
            abort();
}

/* Numbers stay as they are in C; only characters and their widths follow the locale. */
static void choose_locale(void)
{
    setlocale(LC_CTYPE, "");
}

/* The one line that a failed command leaves. */
static int report(const struct job *job, enum pal_status st, const struct pal_error *err)
{
    bool hint = st == PAL_EUSAGE && job && !strstr(err->message, "palate help");
    fprintf(stderr, "palate: %s", err->message);
    if (hint)
        fprintf(stderr, " (see palate help %s)", job->command->name);
    fputc('\n', stderr);
    return st == PAL_EUSAGE ? EXIT_USAGE : EXIT_FAILED;
}

static int finish(struct job *job, enum pal_status st, struct pal_error *err)
{
    progress_clear(&job->progress);
    struct pal_error write_error;
    enum pal_status wrote = console_finish(&job->out, &write_error);
    int code = EXIT_DONE;
    bool gone = console_gone(&job->out);
    if (st && !(gone && st == PAL_EINTERRUPTED))
        code = report(job, st, err);
    else if (wrote)
        code = report(job, wrote, &write_error);
    job_done(job);
    interrupt_raise();
    return code;
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct job job;
    struct pal_error err = {0};
    bool help = false;
    job_init(&job, command);
    enum pal_status st = args_read(&job, argc, argv, &help, &err);
    if (help && !st)
        help_command(&job.out, command);
    else if (!st)
        st = command->run(&job, &err);
    return finish(&job, st, &err);
}

/* What stands in the place of a command without being one. */
static const struct command *alias(const char *word)
{
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        return command_find("help");
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return command_find("version");
    return NULL;
}

int main(int argc, char **argv)
{
    hold_streams();
    choose_locale();
    interrupt_catch();
    outside_register();
    if (argc < 2) {
        struct console c = {.fd = STDERR_FILENO};
        struct pal_error err;
        help_overview(&c);
        return console_finish(&c, &err) ? EXIT_FAILED : EXIT_USAGE;
    }
    struct pal_error err;
    const struct command *command = alias(argv[1]);
    if (!command && command_named(argv[1], &command, &err))
        return report(NULL, PAL_EUSAGE, &err);
    return run_command(command, argc - 2, argv + 2);
}
