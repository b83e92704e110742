-- What bench/ingest posts: wrk -s ingest.lua URL -- BATCH USERS ITEMS
local batch, users, items, seed = 1, 1, 1, 7

function init(args)
    batch, users, items = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
    math.randomseed(seed)
end

-- Bodies are made beforehand: what is measured is the server, not this script.
local bodies, made, at = {}, 512, 0

local function event()
    return string.format('{"user_id":"%d","item_id":"%d","type":"like"}', math.random(users),
        math.random(items))
end

local function body()
    if batch == 1 then
        return event()
    end
    local events = {}
    for i = 1, batch do
        events[i] = event()
    end
    return "[" .. table.concat(events, ",") .. "]"
end

function request()
    at = at + 1
    local slot = at % made + 1
    if not bodies[slot] then
        bodies[slot] = wrk.format("POST", "/v1/events", {["Content-Type"] = "application/json"},
            body())
    end
    return bodies[slot]
end

function done(summary, latency, requests)
    local e = summary.errors
    print(string.format(
        '{"requests":%d,"seconds":%.4f,"p50_ms":%.4f,"p99_ms":%.4f,"errors":%d}',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
        latency:percentile(99) / 1e3, e.connect + e.read + e.write + e.status + e.timeout))
end
