/* What the server runs, each script whole or not at all. Numbers of time are microseconds of the
 * server's clock, so that they never come twice, not even after a user's key was evicted.
 *
 * A user's key is a sorted set. Its first member, of score -1, is the head
 *
 *     #CLEAR:DOUBT:BORN:KIND
 *
 * with P:meta's `clear` and `doubt` as they were when it was written: of another `clear` the whole
 * key is nothing any more, of another `doubt` it is not whole. BORN is when it began, and what
 * state_fill wants as its token; KIND is C (whole), E (whole since it was erased: nothing comes to
 * it from the store), or P (it has to be filled up). All other members are events and event ids,
 * each with a score of its own, ascending as they came: what a reader does not have yet lies above
 * the score that it read last. What is filled in from the store is older than all that is there, so
 * it goes below.
 *
 * Lists that the user was shown are a sorted set of their own, with scores of the same clock: what
 * came between two of them lies between their scores. They are nothing without the user's key. */
#include "state/redis_inside.h"

/* KEYS: user, meta, shown. ARGV[1]: milliseconds to live. */
static const char user_begin[] =
    "local K, M, S, TTL = KEYS[1], KEYS[2], KEYS[3], tonumber(ARGV[1])\n"
    "local m = redis.call('HMGET', M, 'clear', 'doubt')\n"
    "local clear, doubt = m[1] or '0', m[2] or '0'\n"
    "local function text(x) return string.format('%.0f', x) end\n"
    "local function now() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end\n"
    "local head = redis.call('ZRANGE', K, 0, 0)[1]\n"
    "local hc, hd, born, kind\n"
    "if head then hc, hd, born, kind = string.match(head, '^#(%d+):(%d+):(%d+):(%a)$')\n"
    "  if hc ~= clear then redis.call('DEL', K) head, born, kind = nil, nil, nil end end\n"
    "if not head then redis.call('DEL', S) end\n"
    "local function put(k, b)\n"
    "  local h = '#' .. clear .. ':' .. doubt .. ':' .. b .. ':' .. k\n"
    "  if h == head then return true end\n"
    "  local r = redis.pcall('ZADD', K, -1, h)\n"
    "  if type(r) == 'table' and r.err then return false, r end\n"
    "  if head then redis.call('ZREM', K, head) end\n"
    "  head, hd, born, kind = h, doubt, b, k\n"
    "  return true\n"
    "end\n"
    "local function touch() if TTL > 0 then\n"
    "  redis.call('PEXPIRE', K, TTL) redis.call('PEXPIRE', S, TTL) end end\n"
    "local function last()\n"
    "  local x = tonumber(redis.call('ZRANGE', K, -1, -1, 'WITHSCORES')[2] or 0)\n"
    "  local y = tonumber(redis.call('ZRANGE', S, -1, -1, 'WITHSCORES')[2] or 0)\n"
    "  return math.max(x, y, 0)\n"
    "end\n";

/* Goes before: mostly nothing came, and that is told with four looks and no more. */
static const char look_first[] =
    "local x = redis.call('ZRANGE', KEYS[1], 0, 0)[1]\n"
    "if x and ARGV[2] ~= '0' then\n"
    "  local m = redis.call('HMGET', KEYS[2], 'clear', 'doubt')\n"
    "  local h = '#' .. (m[1] or '0') .. ':' .. (m[2] or '0') .. ':' .. ARGV[2] .. ':'\n"
    "  if x == h .. 'C' or x == h .. 'E' then\n"
    "    local at = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]\n"
    "    local y = redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')[2]\n"
    "    if y and tonumber(y) > tonumber(at) then at = y end\n"
    "    if at == ARGV[3] or (at == '-1' and ARGV[3] == '0') then\n"
    "      return {0, ARGV[2], ARGV[3]} end\n"
    "  end\n"
    "end\n";

/* ARGV: ttl, born and at as known. */
static const char look[] =
    "if (kind == 'C' or kind == 'E') and hd == doubt then\n"
    "  if TTL > 0 and redis.call('PTTL', K) < TTL / 2 then touch() end\n"
    "  local at = text(last())\n"
    "  if born == ARGV[2] then\n"
    "    if at == ARGV[3] then return {0, born, at} end\n"
    "    if tonumber(at) > tonumber(ARGV[3]) then\n"
    "      return {1, born, at, redis.call('ZRANGEBYSCORE', K, '(' .. ARGV[3], '+inf'),\n"
    "        redis.call('ZRANGEBYSCORE', S, '(' .. ARGV[3], '+inf')} end\n"
    "  end\n"
    "  return {2, born, at, redis.call('ZRANGE', K, 1, -1), redis.call('ZRANGE', S, 0, -1)}\n"
    "end\n"
    "local keep = kind == 'P' and hd == doubt\n"
    "if not put('P', keep and born or text(now())) then return {3, '0', '0'} end\n"
    "touch()\n"
    "return {3, born, '0'}\n";

/* ARGV: ttl, members at most, token, 1 = the last part, then identity and member of each event,
 * newest first. */
static const char fill[] =
    "if not kind or born ~= ARGV[3] or hd ~= doubt then return 0 end\n"
    "if kind == 'C' then return 1 end\n"
    "local most = tonumber(ARGV[2]) + 1\n"
    "local n = redis.call('ZCARD', K)\n"
    "local low = redis.call('ZRANGE', K, 1, 1, 'WITHSCORES')[2]\n"
    "low = low and tonumber(low) or now()\n"
    "for i = 5, #ARGV, 2 do\n"
    "  if n >= most then break end\n"
    "  low = low - 1\n"
    "  local fresh = ARGV[i] == '' or redis.call('ZADD', K, 'NX', low, ARGV[i]) == 1\n"
    "  if fresh then n = n + redis.call('ZADD', K, 'NX', low, ARGV[i + 1]) end\n"
    "  if ARGV[i] ~= '' then n = n + 1 end\n"
    "end\n"
    "if ARGV[4] == '1' then put('C', born) end\n"
    "touch()\n"
    "return 1\n";

/* ARGV: ttl, members at most, 1 = only if the user is there, then identity and member of each. */
static const char add[] = "if ARGV[3] == '1' and (not head or kind == 'E') then return 0 end\n"
                          "if not head then\n"
                          "  local ok, e = put('P', text(now()))\n"
                          "  if not ok then return e end\n"
                          "end\n"
                          "local at, t, new = last(), now(), 0\n"
                          "for i = 4, #ARGV, 2 do\n"
                          "  local s = at >= t and at + 1 or t\n"
                          "  if (ARGV[i] == '' or redis.call('ZADD', K, 'NX', s, ARGV[i]) == 1)\n"
                          "     and redis.call('ZADD', K, 'NX', s, ARGV[i + 1]) == 1 then\n"
                          "    at = s\n"
                          "    new = new + 1\n"
                          "  end\n"
                          "end\n"
                          "local over = redis.call('ZCARD', K) - 1 - tonumber(ARGV[2])\n"
                          "if over > 0 then redis.call('ZREMRANGEBYRANK', K, 1, over) end\n"
                          "if new > 0 then touch() end\n"
                          "return new\n";

/* ARGV: ttl, lists at most, when it was shown (in ms), the list. Someone who was erased, or all who
 * were forgotten, since then were not shown it. */
static const char show[] =
    "local shown = tonumber(ARGV[3]) * 1000\n"
    "if not head or shown < tonumber(clear) or (kind == 'E' and shown < tonumber(born)) then\n"
    "  return {0} end\n"
    "local s = redis.call('ZSCORE', S, ARGV[4])\n"
    "if not s then\n"
    "  s = text(math.max(last() + 1, now()))\n"
    "  redis.call('ZADD', S, s, ARGV[4])\n"
    "  local over = redis.call('ZCARD', S) - tonumber(ARGV[2])\n"
    "  if over > 0 then redis.call('ZREMRANGEBYRANK', S, 0, over - 1) end\n"
    "  if TTL > 0 then redis.call('PEXPIRE', S, TTL) end\n"
    "end\n"
    "local x = redis.call('ZREVRANGEBYSCORE', S, '(' .. s, '-inf', 'WITHSCORES', 'LIMIT', 0, 1)\n"
    "if not x[1] then return {1} end\n"
    "return {1, x[1], redis.call('ZRANGEBYSCORE', K, '(' .. x[2], '(' .. s)}\n";

/* ARGV: ttl, 1 = it is stored. */
static const char erase[] = "if ARGV[2] == '1' and kind == 'E' and hd == doubt then return 1 end\n"
                            "redis.call('DEL', K, S)\n"
                            "head = nil\n"
                            "if not put(ARGV[2] == '1' and 'P' or 'E', text(now())) then\n"
                            "  return 0 end\n"
                            "touch()\n"
                            "return 1\n";

/* With no room for another head the user goes altogether. */
static const char doubt_one[] =
    "if head and not put('P', text(now())) then redis.call('DEL', K) end\n"
    "return 1\n";

/* The beginning has deleted it, if it is of another `clear`. */
static const char sweep[] = "return 1\n";

/* KEYS: meta. ARGV: what is renewed: clear, doubt, counts, instance. */
static const char renew[] = "local t = redis.call('TIME')\n"
                            "local n = string.format('%.0f', t[1] * 1000000 + t[2])\n"
                            "for i = 1, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], n) end\n"
                            "return n\n";

/* KEYS: sums, changed, meta, lock, and P:meta; ARGV[1] to [3]: half-lives in ms (0 = none).
 * Evidence is "success failure popular recent time". Counts of another P:meta `counts` are none,
 * and complete. */
static const char counts_begin[] =
    "local S, C, M, L = KEYS[1], KEYS[2], KEYS[3], KEYS[4]\n"
    "local function now() local t = redis.call('TIME')\n"
    "  return string.format('%.0f', t[1] * 1000000 + t[2]) end\n"
    "local clear = redis.call('HGET', KEYS[5], 'counts') or '0'\n"
    "local was = redis.call('HGET', M, 'clear')\n"
    "if was ~= clear then\n"
    "  if was then redis.call('DEL', S, C, M, L) redis.pcall('HSET', M, 'generation', now()) end\n"
    "  redis.pcall('HSET', M, 'clear', clear)\n"
    "end\n"
    "local H = {tonumber(ARGV[1]), tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])}\n"
    "local function fade(i, age) if age <= 0 or H[i] == 0 then return 1 end\n"
    "  return 2 ^ (-age / H[i]) end\n"
    "local function read(x)\n"
    "  local a, b, c, d, t = string.match(x, '^(%S+) (%S+) (%S+) (%S+) (%S+)$')\n"
    "  return {tonumber(a), tonumber(b), tonumber(c), tonumber(d)}, tonumber(t)\n"
    "end\n"
    "local function write(x, t) return string.format('%.17g %.17g %.17g %.17g %.0f',\n"
    "  x[1], x[2], x[3], x[4], t) end\n"
    "local function noted(id) redis.call('ZADD', C, redis.call('HINCRBY', M, 'at', 1), id) end\n";

/* ARGV: half-lives, generation, who, batch, seq, then item and evidence of each. */
static const char count_up[] =
    "if redis.call('HGET', M, 'generation') ~= ARGV[4] then return 0 end\n"
    "local had = redis.call('HGET', M, 'by:' .. ARGV[5])\n"
    "if had and tonumber(string.match(had, '^%d+')) >= tonumber(ARGV[6]) then return 1 end\n"
    "for i = 8, #ARGV, 2 do\n"
    "  local y, ty = read(ARGV[i + 1])\n"
    "  local old = redis.call('HGET', S, ARGV[i])\n"
    "  if old then\n"
    "    local x, tx = read(old)\n"
    "    local t = tx > ty and tx or ty\n"
    "    for j = 1, 4 do y[j] = x[j] * fade(j, t - tx) + y[j] * fade(j, t - ty) end\n"
    "    ty = t\n"
    "  end\n"
    "  redis.call('HSET', S, ARGV[i], write(y, ty))\n"
    "  noted(ARGV[i])\n"
    "end\n"
    "redis.call('HSET', M, 'by:' .. ARGV[5], ARGV[6] .. ':' .. ARGV[7])\n"
    "return 1\n";

/* ARGV: half-lives, who, generation and mark as known, most. */
static const char counted[] =
    "local g = redis.call('HGET', M, 'generation') or '0'\n"
    "local by = redis.call('HGET', M, 'by:' .. ARGV[4])\n"
    "local batch, seq = string.match(by or '0:0', '^(%d+):(%d+)$')\n"
    "local mark = g == ARGV[5] and ARGV[6] or '0'\n"
    "local out = {g, batch, seq, mark}\n"
    "if g == '0' then return out end\n"
    "local x = redis.call('ZRANGEBYSCORE', C, '(' .. mark, '+inf', 'WITHSCORES', 'LIMIT', 0, "
    "ARGV[7])\n"
    "for i = 1, #x, 2 do\n"
    "  out[#out + 1] = x[i]\n"
    "  out[#out + 1] = redis.call('HGET', S, x[i]) or '0 0 0 0 0'\n"
    "  out[4] = string.format('%.0f', tonumber(x[i + 1]))\n"
    "end\n"
    "return out\n";

/* ARGV: half-lives, who, milliseconds. */
static const char count_lock[] =
    "if redis.call('HEXISTS', M, 'generation') == 1 then return 0 end\n"
    "local by = redis.call('GET', L)\n"
    "if by and by ~= ARGV[4] then return 0 end\n"
    "redis.call('SET', L, ARGV[4], 'PX', ARGV[5])\n"
    "redis.call('DEL', S, C)\n" /* of one who had the lock and did not come to the end */
    "return 1\n";

/* ARGV: half-lives, who, batch, seq, 1 = the last part, then item and evidence of each. */
static const char count_put[] =
    "if redis.call('GET', L) ~= ARGV[4] or redis.call('HEXISTS', M, 'generation') == 1 then\n"
    "  return '0' end\n"
    "redis.call('PEXPIRE', L, 60000)\n"
    "for i = 8, #ARGV, 2 do\n"
    "  redis.call('HSET', S, ARGV[i], ARGV[i + 1])\n"
    "  noted(ARGV[i])\n"
    "end\n"
    "if ARGV[7] ~= '1' then return '0' end\n"
    "local g = now()\n"
    "redis.call('HSET', M, 'generation', g, 'by:' .. ARGV[4], ARGV[5] .. ':' .. ARGV[6])\n"
    "redis.call('DEL', L)\n"
    "return g\n";

static const struct {
    const char *begin, *rest, *first;
} scripts[SCRIPTS] = {
    [SCRIPT_LOOK] = {user_begin, look, look_first},
    [SCRIPT_FILL] = {user_begin, fill, NULL},
    [SCRIPT_ADD] = {user_begin, add, NULL},
    [SCRIPT_SHOW] = {user_begin, show, NULL},
    [SCRIPT_ERASE] = {user_begin, erase, NULL},
    [SCRIPT_DOUBT] = {user_begin, doubt_one, NULL},
    [SCRIPT_RENEW] = {"", renew, NULL},
    [SCRIPT_SWEEP] = {user_begin, sweep, NULL},
    [SCRIPT_COUNT_UP] = {counts_begin, count_up, NULL},
    [SCRIPT_COUNTED] = {counts_begin, counted, NULL},
    [SCRIPT_COUNT_LOCK] = {counts_begin, count_lock, NULL},
    [SCRIPT_COUNT_PUT] = {counts_begin, count_put, NULL},
};

void redis_script_text(enum redis_script script, struct str *out)
{
    if (scripts[script].first)
        str_put(out, scripts[script].first);
    str_put(out, scripts[script].begin);
    str_put(out, scripts[script].rest);
}
