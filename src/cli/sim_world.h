/* Who likes what, for a simulation: an invented world with hidden tastes, or a data set's ratings
 * turned into likes and dislikes. */
#ifndef CLI_SIM_WORLD_H
#define CLI_SIM_WORLD_H

#include "cli/command.h"
#include "data/dataset.h"

enum opinion { DISLIKES = -1, UNDECIDED = 0, LIKES = 1 };

struct sim_world;

/* What --data names, or an invented world by --set synth.…; up to `users` people of it, drawn among
 * those who like at least so many items (of fewer, those who like most). */
MUST_USE enum pal_status sim_world_new(struct job *job, uint32_t users, size_t likes,
                                       struct sim_world **out, struct pal_error *err);
void sim_world_free(struct sim_world *w); /* NULL is fine */

const char *sim_world_name(const struct sim_world *w);
bool sim_world_invented(const struct sim_world *w);
const struct items *sim_world_items(const struct sim_world *w);
uint32_t sim_world_users(const struct sim_world *w);

/* What user u thinks of the item; undecided where nobody can know. */
enum opinion sim_world_opinion(const struct sim_world *w, uint32_t user, uint32_t item);

/* The same as a number to order items by: what an oracle knows. */
float sim_world_preference(const struct sim_world *w, uint32_t user, uint32_t item);

#endif
