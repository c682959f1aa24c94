-- Drop expired entries in every stream, also in those that no live worker reads.
-- ARGV: prefix, group, milliseconds to keep a result, most entries to check in each stream.
-- Each call continues where the last one, of any worker, ended. Empty streams of models that no
-- worker has any more are removed.
local group, ttl, most = ARGV[2], ARGV[3], tonumber(ARGV[4])
local places = prefix .. 'sweep'

-- Also if every live worker is unhealthy and opens nothing.
expire_due(group, ttl, 1000)

local function sweep(stream, reason)
  local first = redis.call('HGET', places, stream) or '-'
  local place = sweep_stream(stream, group, ttl, first, most, reason)
  if place == '-' then
    redis.call('HDEL', places, stream)
  else
    redis.call('HSET', places, stream, place)
  end
  return redis.call('XLEN', stream)
end

local loaded = {}
local heartbeats = redis.call('HGETALL', prefix .. 'workers')
for i = 2, #heartbeats, 2 do
  for model in pairs(cjson.decode(heartbeats[i])['models'] or {}) do loaded[model] = true end
end

for _, priority in ipairs({'interactive', 'batch'}) do sweep(stream_key(priority)) end
for _, model in ipairs(redis.call('SMEMBERS', prefix .. 'models')) do
  local reason = not loaded[model] and 'no worker had the model ' .. model .. ' in time' or ''
  local left = 0
  for _, priority in ipairs({'interactive', 'batch'}) do
    left = left + sweep(stream_key(priority, model), reason)
  end
  if left == 0 and not loaded[model] then
    for _, priority in ipairs({'interactive', 'batch'}) do
      redis.call('DEL', stream_key(priority, model))
      redis.call('HDEL', places, stream_key(priority, model))
    end
    redis.call('SREM', prefix .. 'models', model)
  end
end
return 1
