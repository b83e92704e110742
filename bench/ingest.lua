-- What bench/ingest posts: wrk -s ingest.lua URL -- BATCH USERS ITEMS SEED
--
-- Bodies are made before the clock runs: what is measured is the server, not this script.
local bodies, at = {}, 0

local function event(users, items)
    return string.format('{"user_id":"%d","item_id":"%d","type":"like"}', math.random(users),
        math.random(items))
end

local function body(batch, users, items)
    if batch == 1 then
        return event(users, items)
    end
    local events = {}
    for i = 1, batch do
        events[i] = event(users, items)
    end
    return "[" .. table.concat(events, ",") .. "]"
end

function init(args)
    local batch, users, items = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
    math.randomseed(tonumber(args[4]))
    for i = 1, batch == 1 and 20000 or 100 do
        bodies[i] = wrk.format("POST", "/v1/events", {["Content-Type"] = "application/json"},
            body(batch, users, items))
    end
end

function request()
    at = at % #bodies + 1
    return bodies[at]
end

function done(summary, latency, requests)
    local e = summary.errors
    print(string.format(
        '{"requests":%d,"seconds":%.4f,"p50_ms":%.4f,"p99_ms":%.4f,"errors":%d}',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
        latency:percentile(99) / 1e3, e.connect + e.read + e.write + e.status + e.timeout))
end
