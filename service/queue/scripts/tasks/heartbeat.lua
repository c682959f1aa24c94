-- Store a worker's heartbeat. ARGV: prefix, worker, heartbeat as JSON without the time.
-- Workers silent for a minute are removed. Returns the requested generation of bundles.
local at = now()
local heartbeat = cjson.decode(ARGV[3])
heartbeat['at'] = at
for model in pairs(heartbeat['models']) do redis.call('SADD', prefix .. 'models', model) end
redis.call('HSET', prefix .. 'workers', ARGV[2], cjson.encode(heartbeat))
local all = redis.call('HGETALL', prefix .. 'workers')
for i = 1, #all, 2 do
  if at - cjson.decode(all[i + 1])['at'] > 60000 then
    redis.call('HDEL', prefix .. 'workers', all[i])
  end
end
return tonumber(redis.call('GET', prefix .. 'generation') or 0)
