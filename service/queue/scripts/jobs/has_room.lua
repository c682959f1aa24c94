-- Whether a stream of a lane has room, so that a request is worth looking at.
-- ARGV: prefix, group, lane, most entries in a stream, milliseconds to keep an outcome.
local group, priority, limit, ttl = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local streams = {}
for _, model in ipairs(redis.call('SMEMBERS', prefix .. 'models')) do
  table.insert(streams, stream_key(priority, model))
end
if #streams == 0 then streams = {stream_key(priority)} end
for _, stream in ipairs(streams) do
  if has_room(stream, group, ttl, limit) then return 1 end
end
return 0
