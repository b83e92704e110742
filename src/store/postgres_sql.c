/* The statements of the PostgreSQL store. */
#include "store/postgres.h"

#include <stdio.h>

#define STATE                                                                                      \
    "SELECT version, epoch, next_place, next_user, next_item, items, users, events, served,"       \
    " cleared, cleared_at FROM state"
#define EVENT_COLUMNS                                                                              \
    "SELECT e.place, u.user_id, i.item_id, t.name, e.value, e.time_ms, e.event_id,"                \
    " e.recommendation_id "
#define EVENT_JOINS                                                                                \
    " JOIN users u ON u.no = e.user_no JOIN items i ON i.no = e.item_no"                           \
    " JOIN types t ON t.no = e.type_no "
#define ITEM_COLUMNS                                                                               \
    "SELECT item_id, title, categories, attributes, image_url, available, created_ms"
#define USER_COLUMNS   "SELECT user_id, attributes, created_ms"
#define SERVED_COLUMNS "SELECT recommendation_id, user_id, time_ms, list, packed"

const char *const pg_sql[PG_SQL_COUNT] = {
    [PG_BEGIN] = "BEGIN",
    [PG_COMMIT] = "COMMIT",
    [PG_ROLLBACK] = "ROLLBACK",
    [PG_STATE] = STATE,
    /* every writer waits here: so places ascend in the order of commits */
    [PG_STATE_LOCK] = STATE " FOR UPDATE",
    [PG_STATE_PUT] = "UPDATE state SET epoch = $1, next_place = $2, next_user = $3, next_item = $4,"
                     " items = $5, users = $6, events = $7, served = $8, cleared = $9,"
                     " cleared_at = $10",
    [PG_POSITION] = "SELECT seq FROM positions WHERE journal = $1",
    [PG_ERASED_SINCE] = "SELECT coalesce(max(place), 0), coalesce(max(at), 0) FROM erased"
                        " WHERE place > $1",
    [PG_POSITION_PUT] = "INSERT INTO positions(journal, seq) VALUES($1, $2)"
                        " ON CONFLICT (journal) DO UPDATE SET seq = excluded.seq",
    [PG_TYPES] = "SELECT no, name FROM types ORDER BY no",
    [PG_TYPE] = "WITH made AS (INSERT INTO types(no, name)"
                " SELECT coalesce((SELECT max(no) FROM types), 0) + 1, $1"
                " ON CONFLICT (name) DO NOTHING RETURNING no)"
                " SELECT no FROM made UNION ALL SELECT no FROM types WHERE name = $1",
    [PG_IDS] = "SELECT x.n FROM unnest($1::text[]) WITH ORDINALITY AS x(id, n)"
               " JOIN events e ON e.event_id = x.id AND e.event_id IS NOT NULL",
    [PG_USERS_FIND] = "SELECT x.n, coalesce(u.no, 0), coalesce(u.at, 0), coalesce(e.at, 0)"
                      " FROM unnest($1::text[]) WITH ORDINALITY AS x(id, n)"
                      " LEFT JOIN users u ON u.user_id = x.id"
                      " LEFT JOIN erased e ON e.user_id = x.id",
    [PG_ITEMS_FIND] = "SELECT x.n, i.no, i.standing, i.at"
                      " FROM unnest($1::text[]) WITH ORDINALITY AS x(id, n)"
                      " JOIN items i ON i.item_id = x.id",
    /* of somebody without an id: among the latest */
    [PG_LISTS_FIND] = "SELECT x.n FROM unnest($1::text[], $2::text[])"
                      " WITH ORDINALITY AS x(who, id, n) WHERE CASE WHEN x.who IS NULL"
                      " THEN EXISTS (SELECT 1 FROM (SELECT recommendation_id FROM served"
                      " ORDER BY place DESC LIMIT 256) l WHERE l.recommendation_id = x.id)"
                      " ELSE EXISTS (SELECT 1 FROM served s WHERE s.user_id = x.who"
                      " AND s.recommendation_id = x.id) END",
    [PG_USERS_PUT] = "INSERT INTO users(no, user_id, attributes, created_ms, at)"
                     " SELECT * FROM unnest($1::integer[], $2::text[], $3::text[], $4::bigint[],"
                     " $5::bigint[]) ON CONFLICT (no) DO UPDATE SET"
                     " attributes = excluded.attributes, created_ms = excluded.created_ms,"
                     " at = excluded.at",
    [PG_ITEMS_PUT] =
        "INSERT INTO items(no, item_id, standing, title, categories, attributes, image_url,"
        " available, created_ms, place, at) SELECT * FROM unnest($1::integer[], $2::text[],"
        " $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::boolean[],"
        " $9::bigint[], $10::bigint[], $11::bigint[]) ON CONFLICT (no) DO UPDATE SET"
        " standing = excluded.standing, title = excluded.title, categories = excluded.categories,"
        " attributes = excluded.attributes, image_url = excluded.image_url,"
        " available = excluded.available, created_ms = excluded.created_ms,"
        " place = excluded.place, at = excluded.at",
    [PG_ERASE_EVENTS] = "DELETE FROM events WHERE user_no = $1::bigint",
    [PG_ERASE_LISTS] = "DELETE FROM served WHERE user_id = $1",
    [PG_ERASE_USER] = "DELETE FROM users WHERE no = $1::bigint",
    [PG_ERASED_PUT] = "INSERT INTO erased(user_id, at, place) VALUES($1, $2, $3)"
                      " ON CONFLICT (user_id) DO UPDATE SET at = excluded.at,"
                      " place = excluded.place",
    [PG_ERASED_FORGET] = "DELETE FROM erased WHERE at < $1",
    [PG_CLEAR_EVENTS] = "DELETE FROM events",
    [PG_CLEAR_LISTS] = "DELETE FROM served",
    [PG_CLEAR_USERS] = "DELETE FROM users",
    [PG_CLEAR_ITEMS] = "DELETE FROM items",
    [PG_CLEAR_TYPES] = "DELETE FROM types",
    [PG_CLEAR_ERASED] = "DELETE FROM erased",
    [PG_CLEAR_NOTES] = "DELETE FROM notes WHERE name LIKE 'import:%'",
    [PG_REACH_PUT] =
        "INSERT INTO reaches(journal, shard, seq)"
        " SELECT x.j, x.n, max(x.q) FROM unnest($1::text[], $2::integer[], $3::bigint[])"
        " AS x(j, n, q) GROUP BY x.j, x.n ON CONFLICT (journal, shard) DO UPDATE SET"
        " seq = greatest(reaches.seq, excluded.seq)",
    [PG_REACHES] = "SELECT shard, seq FROM reaches WHERE journal = $1 ORDER BY shard LIMIT $2",
    [PG_NOTE_PUT] = "INSERT INTO notes(name, text) VALUES($1, $2)"
                    " ON CONFLICT (name) DO UPDATE SET text = excluded.text",
    [PG_NOTE] = "SELECT text FROM notes WHERE name = $1",
    [PG_NOTES] = "SELECT name, text FROM notes ORDER BY name",
    [PG_SERVED_FORGET] = "DELETE FROM served WHERE place < coalesce((SELECT place FROM served"
                         " WHERE time_ms >= $1 ORDER BY place LIMIT 1), 9223372036854775807)",
    [PG_BYTES] = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class"
                 " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'",
    [PG_READ_USER_EVENTS] =
        "SELECT e.place, $1, i.item_id, t.name, e.value, e.time_ms, e.event_id,"
        " e.recommendation_id FROM (SELECT * FROM events WHERE"
        " user_no = (SELECT no FROM users WHERE user_id = $1)"
        " AND place < $2 ORDER BY place DESC LIMIT $3) e JOIN items i ON i.no = e.item_no"
        " JOIN types t ON t.no = e.type_no ORDER BY e.place DESC",
    [PG_READ_USER_COUNT] = "SELECT count(*) FROM events"
                           " WHERE user_no = (SELECT no FROM users WHERE user_id = $1)",
    [PG_READ_ITEM] = ITEM_COLUMNS " FROM items WHERE standing < 2 AND item_id = $1",
    [PG_READ_USER] = USER_COLUMNS " FROM users WHERE user_id = $1",
    [PG_READ_SERVED] = SERVED_COLUMNS " FROM served ORDER BY place DESC LIMIT $1",
    [PG_READ_SERVED_OF] =
        SERVED_COLUMNS " FROM served WHERE user_id = $1 ORDER BY place DESC LIMIT $2",
    /* up to the place before which at most so many of each kind lie behind a mark */
    [PG_FOLLOW_END] = "SELECT least(next_place - 1,"
                      " (SELECT place FROM events WHERE place > $1 ORDER BY place"
                      " LIMIT 1 OFFSET $2),"
                      " (SELECT place FROM items WHERE place > 0 AND place > $1 ORDER BY place"
                      " LIMIT 1 OFFSET $2),"
                      " (SELECT place FROM erased WHERE place > $1 ORDER BY place"
                      " LIMIT 1 OFFSET $2)), cleared FROM state",
    [PG_FOLLOW_ITEMS] = ITEM_COLUMNS ", standing FROM items WHERE place > 0 AND place > $1"
                                     " AND place <= $2 ORDER BY place",
    [PG_FOLLOW_ERASED] = "SELECT user_id FROM erased WHERE place > $1 AND place <= $2"
                         " ORDER BY place",
    [PG_FOLLOW_EVENTS] = EVENT_COLUMNS "FROM events e" EVENT_JOINS
                                       "WHERE e.place > $1 AND e.place <= $2 ORDER BY e.place",
};

#define WALK(query) "COPY (" query ") TO STDOUT (FORMAT binary)"

void pg_all_events(char *out, size_t size, uint64_t after)
{
    snprintf(out, size,
             WALK(EVENT_COLUMNS "FROM events e" EVENT_JOINS "WHERE e.place > %lld"
                                " ORDER BY e.place"),
             after > INT64_MAX ? (long long)INT64_MAX : (long long)after);
}

const char pg_all_items[] = WALK(ITEM_COLUMNS " FROM items WHERE standing < 2 ORDER BY no");
const char pg_all_deleted[] = WALK(ITEM_COLUMNS " FROM items WHERE standing = 2 ORDER BY no");
const char pg_all_users[] = WALK(USER_COLUMNS " FROM users ORDER BY no");
const char pg_all_served[] = WALK(SERVED_COLUMNS " FROM served ORDER BY place");
const char pg_all_served_back[] = WALK(SERVED_COLUMNS " FROM served ORDER BY place DESC");
const char pg_data_items[] =
    WALK("SELECT no, item_id, standing, title, categories, attributes FROM items ORDER BY no");
const char pg_data_users[] = WALK("SELECT no, user_id, attributes FROM users ORDER BY no");
const char pg_data_types[] = WALK("SELECT no, name FROM types ORDER BY no");
const char pg_data_events[] =
    WALK("SELECT user_no, item_no, type_no, value, time_ms FROM events ORDER BY place");
const char pg_data_events_ids[] =
    WALK("SELECT user_no, item_no, type_no, value, time_ms, event_id FROM events ORDER BY place");
const char pg_into_events[] = "COPY events(place, user_no, item_no, type_no, value, time_ms,"
                              " event_id, recommendation_id) FROM STDIN (FORMAT binary)";
const char pg_into_served[] = "COPY served(place, recommendation_id, user_id, time_ms, list,"
                              " packed) FROM STDIN (FORMAT binary)";
