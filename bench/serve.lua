-- What bench/serve and bench/start ask: wrk -s serve.lua URL -- MODE USERS DELAY_MS [FIRST]
local mode, users, wait, turn, user, at = "read", 1, 0, 0, 1, 0

function init(args)
    mode, users, wait = args[1], tonumber(args[2]), tonumber(args[3])
    turn = tonumber(args[4] or 0) -- of mode warm: the users from this one on, one after the other
    math.randomseed(7)
end

function delay()
    return wait
end

function request()
    turn = turn + 1
    if mode == "mixed" and turn % 2 == 1 then
        user = math.random(users)
        local body = string.format('{"user_id":"%d","item_id":"%d","type":"like"}', user,
            math.random(1000))
        return wrk.format("POST", "/v1/events", {["Content-Type"] = "application/json"}, body)
    end
    if mode == "warm" then
        user = turn % users + 1
    elseif mode ~= "mixed" then
        user = math.random(users)
    end
    return wrk.format("GET", string.format("/v1/users/%d/recommendations?n=10", user))
end

function done(summary, latency, requests)
    local e = summary.errors
    print(string.format(
        '{"requests":%d,"seconds":%.4f,"p50_ms":%.4f,"p99_ms":%.4f,"errors":%d}',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
        latency:percentile(99) / 1e3, e.connect + e.read + e.write + e.status + e.timeout))
end
