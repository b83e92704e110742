/* palate backup and palate restore: a store as one file, and back. */
#include "base/file.h"
#include "cli/command.h"
#include "store/store.h"

#include <string.h>

enum pal_status backup_run(struct job *job, struct pal_error *err)
{
    struct store *s;
    const char *output = job->set.output;
    if (!output)
        return pal_fail(err, PAL_EUSAGE, "back up to where? palate backup -o FILE");
    enum pal_status st = job_threads(job, err);
    if (!st)
        st = store_open(job->set.store, true, &s, err);
    if (st)
        return st;
    st = store_backup(s, output, &job->run, err);
    store_close(s);
    if (!st) {
        struct str text = {0};
        str_fmt(&text, "wrote %s, ", output);
        put_bytes(&text, (uint64_t)file_size(output));
        str_char(&text, '\n');
        job->out.pending.failed |= text.failed;
        say_text(&job->out, str_text(&text));
        str_done(&text);
    }
    return st;
}

enum pal_status restore_run(struct job *job, struct pal_error *err)
{
    if (job->operand_count == 0)
        return pal_fail(err, PAL_EUSAGE, "restore what? palate restore FILE");
    const char *backup = job->operands[0];
    enum pal_status st = store_restore(job->set.store, backup, err);
    if (!st)
        say(&job->out,
            "%s is now what %s holds; a store that was there before is kept beside it, with "
            "'.before-restore' behind its name\n",
            job->set.store, backup);
    return st;
}
