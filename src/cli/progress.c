/* See progress.h. */
#include "cli/progress.h"
#include "base/clock.h"

#include "cli/console.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

static const double draw_every_s = 0.1, eta_after_s = 1.0;

double now_seconds(void)
{
    return 1e-9 * (double)clock_steady_ns();
}

void progress_init(struct progress *p, bool quiet, bool utf8)
{
    memset(p, 0, sizeof *p);
    const char *term = getenv("TERM");
    p->on = !quiet && isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    p->utf8 = utf8;
}

void progress_label(struct progress *p, const char *label)
{
    snprintf(p->label, sizeof p->label, "%s", label);
    p->stage[0] = p->figures[0] = 0;
}

void progress_clear(struct progress *p)
{
    if (p->drawn)
        fputs("\r\033[K", stderr);
    p->drawn = false;
}

static void draw(struct progress *p, uint64_t done, uint64_t total, double now)
{
    enum { BAR = 24 };
    struct str line = {0};
    struct console look = {.utf8 = p->utf8};
    str_fmt(&line, "%s%s%s", p->label, *p->label ? ": " : "", p->stage);
    if (total) {
        double share = (double)(done < total ? done : total) / (double)total;
        double elapsed = now - p->stage_began;
        struct str bar = {0};
        put_bar(&look, &bar, share, BAR);
        size_t blanks = BAR - text_columns(str_text(&bar));
        str_fmt(&line, " %3.0f %% %s%s%*s%s", share * 100, p->utf8 ? "▕" : "[", str_text(&bar),
                (int)blanks, "", p->utf8 ? "▏" : "]");
        str_done(&bar);
        if (elapsed > eta_after_s && share > 0.02 && share < 1) {
            str_put(&line, " ");
            put_seconds(&line, elapsed / share * (1 - share));
            str_put(&line, " left");
        }
    } else if (done) {
        str_put(&line, " ");
        put_count(&line, done);
    }
    str_fmt(&line, "%s%s", *p->figures ? "  " : "", p->figures);
    struct winsize size;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    struct str cut = {0};
    text_fit(&look, str_text(&line), known ? size.ws_col - 1u : 79, &cut);
    if (str_ok(&line) && str_ok(&cut)) {
        fprintf(stderr, "\r%s\033[K", str_text(&cut));
        p->drawn = true;
    }
    str_done(&cut);
    str_done(&line);
}

void progress_tell(void *ctx, const char *stage, uint64_t done, uint64_t total)
{
    struct progress *p = ctx;
    if (!p->on)
        return;
    double now = now_seconds();
    if (strncmp(p->stage, stage, sizeof p->stage - 1) != 0) {
        snprintf(p->stage, sizeof p->stage, "%s", stage);
        p->figures[0] = 0;
        p->stage_began = now;
    }
    if (now - p->last_draw < draw_every_s)
        return;
    p->last_draw = now;
    draw(p, done, total, now);
}

void progress_figure(void *ctx, const char *name, uint64_t step, double value)
{
    struct progress *p = ctx;
    size_t used = step == p->figures_of ? strlen(p->figures) : 0;
    p->figures_of = step;
    snprintf(p->figures + used, sizeof p->figures - used, "%s%s %.4g", used ? ", " : "", name,
             value);
}

/* Linux lets a process forget its peak: proc_pid_clear_refs(5). What was freed is handed back
 * first, so that one model's memory isn't counted for the next. */
void peak_reset(void)
{
    malloc_trim(0);
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = write(fd, "5", 1);
    (void)n; /* where it is refused the peak is that of the whole process */
    close(fd);
}

uint64_t peak_bytes(void)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    unsigned long long kib = 0;
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %llu kB", &kib) == 1)
            break;
    if (f)
        fclose(f);
    if (kib)
        return kib * 1024;
    struct rusage use;
    return getrusage(RUSAGE_SELF, &use) == 0 ? (uint64_t)use.ru_maxrss * 1024 : 0;
}
