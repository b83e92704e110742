/* What the files of this folder share. */
#ifndef TRACK_INSIDE_H
#define TRACK_INSIDE_H

#include "track/track.h"

#include <jansson.h>
#include <limits.h>
#include <stdatomic.h>

enum {
    TRACK_ID = 17,              /* of a run, here: 16 hex digits and a NUL */
    ARTIFACT_MOST = 4 << 20,    /* bytes of one artifact */
    QUEUE_MOST = 20000,         /* messages that wait to be sent */
    QUEUE_BYTES_MOST = 64 << 20 /* and about how large they may be together */
};

/* ---- runs.c: the folder's file ---- */

/* Appends one line (without its end), turning the file over if it is too long. */
MUST_USE enum pal_status runs_add(const char *root, const char *line, struct pal_error *err);

/* ---- mlflow.c: one message to a server ----
 *
 * A message is an object:
 *     {"op":"create","run":ID,"parent":ID or
 * absent,"body":{"run_name":…,"start_time":…,"tags":[…]}}
 *     {"op":"batch","run":ID,"body":{"metrics":[…],"params":[…],"tags":[…]}}
 *     {"op":"artifact","run":ID,"name":…,"text":…}
 *     {"op":"end","run":ID,"body":{"status":…,"end_time":…}}
 * with "tried":true in a "create" that may have reached the server without an answer, and
 *     {"op":"known","run":ID,"remote":…,"artifacts":…}     a run that was created already */

enum sent {
    SENT,
    SENT_AWAY,    /* the server can't be reached, or asks to come again later */
    SENT_REFUSED, /* it does not want this message, and won't later */
};

struct mlflow;

/* url: without the prefix and a slash at the end. deadline: milliseconds of the wall clock after
 * which a call is given up at once; 0 = none. Both are borrowed. */
MUST_USE enum pal_status mlflow_new(const char *url, const char *experiment,
                                    const _Atomic int64_t *deadline_ms, struct mlflow **out,
                                    struct pal_error *err);
void mlflow_free(struct mlflow *m);

/* Sends one; one thread at a time. why (size): what the server or the network said, unless SENT. */
enum sent mlflow_send(struct mlflow *m, json_t *message, char *why, size_t size);

/* "known" messages for the runs that were created and have not ended, added to the array. */
int mlflow_known(const struct mlflow *m, json_t *out);

/* Whether an artifact was left out since the server keeps them where only its own clients can
 * write. */
bool mlflow_lacks_artifacts(const struct mlflow *m);

/* ---- unsent.c: files of messages ---- */

struct unsent;

/* Takes the messages of all files in the folder `root`/unsent that are for this server and that
 * nobody else has in hand, appending them to the array; the files stay, locked, until unsent_close.
 * A file that can't be read is passed over. */
struct unsent *unsent_take(const char *root, const char *url, const char *experiment,
                           json_t *messages);

/* Replaces what was taken by a new file with `messages` (none if the array is empty). On failure
 * the old files stay as they are. NULL is fine: nothing was taken. */
MUST_USE enum pal_status unsent_close(struct unsent *u, const char *root, const char *url,
                                      const char *experiment, const json_t *messages,
                                      struct pal_error *err);

/* Lets go of what was taken; the files stay as they are. NULL is fine. */
void unsent_leave(struct unsent *u);

/* The messages of one file (without its first line), NULL if it is not for this server or damaged
 * from the first line on; messages up to the first damaged line are taken. */
json_t *unsent_read(const char *text, size_t size, const char *url, const char *experiment);

/* ---- sender.c: the queue and its thread ---- */

struct sender;

MUST_USE enum pal_status sender_new(const char *root, const char *url, struct sender **out,
                                    struct pal_error *err);

/* Takes the message over, also on failure. */
void sender_put(struct sender *s, json_t *message);

/* Waits a few seconds, writes what is left to a file, and says so in note (size). */
void sender_close(struct sender *s, char *note, size_t size);

#endif
